package node

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAnswerInTerminationMessage kills the program when Vault's answer is spooled and
// nowhere else. Its pod's volume is gone for the next pod, and its termination
// message is not.
func TestAnswerInTerminationMessage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	pod := s.stopAt("initialize.spooled")
	s.kubectl("delete", "configmap", stopMap)
	s.signal(pod, syscall.SIGKILL)
	s.jobDone("vault-bootstrap")
	if got, want := s.state(), "hardened"; got != want {
		t.Errorf("the Lease says %q, want %q", got, want)
	}
	s.wantUnsealed(time.Minute, 1)
	for _, each := range s.podsOf("job-name=vault-bootstrap") {
		if each.UID == pod.UID && each.Status.ContainerStatuses[0].State.Terminated.ExitCode != 137 {
			t.Errorf("the killed pod has ended with %+v", each.Status.ContainerStatuses[0].State.Terminated)
		}
	}
}

// resetRules are those that --on-keys-lost=reset needs besides the shipped ones.
const resetRules = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: vault-bootstrap-reset}
rules:
  - apiGroups: [""]
    resources: [persistentvolumeclaims]
    resourceNames: [data-vault-0, data-vault-1, data-vault-2]
    verbs: [get, delete]
  - apiGroups: [""]
    resources: [pods]
    resourceNames: [vault-0, vault-1, vault-2]
    verbs: [delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: vault-bootstrap-reset}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: vault-bootstrap-reset}
subjects: [{kind: ServiceAccount, name: vault-bootstrap}]
`

// TestKeysLost loses the keys of a Vault of three replicas in two ways that nobody
// can prevent, and has the next pod start over: it deletes the volume and the pod of
// the replica that nobody can open, and the StatefulSet brings both back.
func TestKeysLost(t *testing.T) {
	for name, lose := range map[string]struct {
		point string
		how   func(s *site, pod corev1.Pod)
	}{
		"the answer goes with the pod": {"initialize.spooled", func(s *site, pod corev1.Pod) {
			s.kubectl("delete", "pod", pod.Name, "--grace-period=0", "--force", "--wait=false")
		}},
		"killed while Vault answers": {"initialize.intended", func(s *site, pod corev1.Pod) {
			s.losesAnswers(pod)
			s.resume(pod)
			s.until(time.Minute, "vault to be amid its initialization", s.initializing)
			s.signal(pod, syscall.SIGKILL)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.installVault(plainVault())
			if err := s.apply([]byte(resetRules)); err != nil {
				t.Fatal(err)
			}
			job := s.job()
			container := &job.Spec.Template.Spec.Containers[0]
			container.Args = append(container.Args, "--on-keys-lost=reset")
			pod := s.stopJobAt(lose.point, job)
			claims := s.claims()
			s.kubectl("delete", "configmap", stopMap)
			lose.how(s, pod)
			s.jobDone("vault-bootstrap")
			if got, want := s.state(), "hardened"; got != want {
				t.Errorf("the Lease says %q, want %q", got, want)
			}
			s.wantUnsealed(time.Minute, 3)
			now := s.claims()
			if now["data-vault-0"] == claims["data-vault-0"] {
				t.Error("the volume that nobody could open was not made anew")
			}
			for _, other := range []string{"data-vault-1", "data-vault-2"} {
				if now[other] != claims[other] {
					t.Errorf("the empty volume %s was deleted, too", other)
				}
			}
			if got := s.checkpoint().events(); !slices.Contains(got, "harden") {
				t.Errorf("the history %v lacks 'harden'", got)
			}
		})
	}
}

// losesAnswers has a pod's network lose what Vault answers to sys/init, the one answer that
// is this long, so that the program is killed before it has the answer however slow the
// machine is.
func (s *site) losesAnswers(pod corev1.Pod) {
	s.t.Helper()
	rule := exec.CommandContext(s.t.Context(), "nsenter", "--net", "--target="+strconv.Itoa(s.processOf(pod)),
		"/usr/sbin/iptables", "-A", "INPUT", "-p", "tcp", "--sport", "8200", "-m", "length", "--length", "1000:65535", "-j", "DROP")
	if shown, err := rule.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, shown)
	}
}

// initializing says whether replica 0 has begun to initialize itself: from here on it
// has state that only its answer opens.
func (s *site) initializing(ctx context.Context) error {
	logs, err := cluster.Client.CoreV1().Pods(s.namespace).GetLogs("vault-0", &corev1.PodLogOptions{Container: "vault"}).DoRaw(ctx)
	if err == nil && !bytes.Contains(logs, []byte("security barrier initialized")) {
		err = errors.New("it has not begun")
	}
	return err
}

// claims returns the UID of each claim of a volume.
func (s *site) claims() map[string]string {
	s.t.Helper()
	claims, err := cluster.Client.CoreV1().PersistentVolumeClaims(s.namespace).List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[string]string{}
	for _, claim := range claims.Items {
		found[claim.Name] = string(claim.UID)
	}
	return found
}
