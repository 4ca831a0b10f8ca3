package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// The states in which the Job's pod is taken away.
var states = []string{"uninitialized", "initialized", "unsealed", "seeded", "hardened"}

// TestJobPodDeleted takes the Job's pod away without warning in each state: nobody
// tells the program, and the API server forgets the pod at once.
func TestJobPodDeleted(t *testing.T) {
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			pod := s.stopAt("entered." + state)
			s.kubectl("delete", "configmap", stopMap)
			s.kubectl("delete", "pod", pod.Name, "--grace-period=0", "--force", "--wait=false")
			s.wantFinishedBy(pod)
		})
	}
}

// TestJobPodEvicted drains the node in each state: the program is told to end, and
// the next pod starts when the node takes pods again.
func TestJobPodEvicted(t *testing.T) {
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			pod := s.stopAt("entered." + state)
			s.kubectl("delete", "configmap", stopMap)
			s.evict(pod)
			if state == "hardened" {
				pod = corev1.Pod{} // it may be through before it hears that it is to end
			}
			s.wantFinishedBy(pod)
		})
	}
}

// cordon is held while the node takes no pods. All tests share the node, so cordons come one
// after another.
var cordon sync.Mutex

// evict has the node take no pods, evicts one, and lets the node take pods again when
// that one has ended.
func (s *site) evict(pod corev1.Pod) {
	s.t.Helper()
	cordon.Lock()
	defer cordon.Unlock()
	s.kubectl("cordon", testbed.NodeName)
	defer s.kubectl("uncordon", testbed.NodeName)
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: s.namespace}}
	if err := cluster.Client.PolicyV1().Evictions(s.namespace).Evict(s.t.Context(), eviction); err != nil {
		s.t.Fatal(err)
	}
	// The kubelet tells it a little later. A program that runs on before that may be
	// through by then.
	s.until(time.Minute, "SIGTERM", func(context.Context) error { return s.termPending(pod) })
	s.resume(pod)
	s.until(time.Minute, "the end of the evicted pod", func(ctx context.Context) error {
		now, err := cluster.Client.CoreV1().Pods(s.namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) || err == nil && now.UID != pod.UID:
			return nil
		case err != nil:
			return err
		case now.Status.Phase == corev1.PodFailed || now.Status.Phase == corev1.PodSucceeded:
			return nil
		}
		return fmt.Errorf("its phase is %s", now.Status.Phase)
	})
}

// stopMap is a ConfigMap that says where the program is to stop. Without it, it
// does not, and so the pods after the first one find none.
const stopMap = "stop"

// stopAt installs a Vault of one replica, which is quick, starts the Job beside it,
// and waits until its program has stopped at a point.
func (s *site) stopAt(point string) corev1.Pod {
	s.t.Helper()
	s.installVault()
	job := s.job()
	reachBy(job, "--vault-addr=http://vault-0.vault-internal:8200")
	return s.stopJobAt(point, job)
}

// stopJobAt starts a Job, and waits until its program has stopped at a point.
func (s *site) stopJobAt(point string, job *batchv1.Job) corev1.Pod {
	s.t.Helper()
	s.kubectl("apply", "-f", shipped("manifests/rbac.yaml"))
	s.kubectl("create", "configmap", stopMap, "--from-literal=at="+point)
	pod := &job.Spec.Template.Spec
	// The first process of a process namespace cannot be stopped from within.
	shared, optional := true, true
	pod.ShareProcessNamespace = &shared
	container := &pod.Containers[0]
	container.Image = stoppableImage
	container.Env = append(container.Env, corev1.EnvVar{Name: driver.StopVariable, ValueFrom: &corev1.EnvVarSource{
		ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: stopMap}, Key: "at", Optional: &optional},
	}})
	s.create(job)
	var stopped corev1.Pod
	s.until(2*time.Minute, "stop at "+point, func(ctx context.Context) error {
		pods, err := cluster.Client.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: "job-name=" + job.Name})
		if err != nil {
			return err
		}
		if len(pods.Items) != 1 {
			return fmt.Errorf("the Job has %d pods", len(pods.Items))
		}
		stopped = pods.Items[0]
		logs, err := cluster.Client.CoreV1().Pods(s.namespace).GetLogs(stopped.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
		if err == nil && !bytes.Contains(logs, []byte(driver.StopLine(point))) {
			err = fmt.Errorf("it has not come there:\n%s", logs)
		}
		return err
	})
	return stopped
}

// resume lets the stopped program of a pod run on.
func (s *site) resume(pod corev1.Pod) { s.signal(pod, syscall.SIGCONT) }

// termPending says whether SIGTERM waits for the stopped program of a pod.
func (s *site) termPending(pod corev1.Pod) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.processOf(pod)))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		var pending uint64
		if _, err := fmt.Sscanf(line, "ShdPnd:\t%x", &pending); err == nil {
			if pending&(1<<(syscall.SIGTERM-1)) == 0 {
				return errors.New("it has not been told")
			}
			return nil
		}
	}
	return errors.New("the kernel does not say what is pending")
}

// signal sends a signal to the program of a pod.
func (s *site) signal(pod corev1.Pod, signal syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(s.processOf(pod), signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.t.Fatal(err)
	}
}

// processOf returns the process of a pod's program, as this machine numbers it.
func (s *site) processOf(pod corev1.Pod) int {
	s.t.Helper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range environments {
		environment, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(environment, []byte("POD_UID="+string(pod.UID)+"\x00")) {
			continue // it has ended, or is none of ours
		}
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/environ", &pid); err != nil {
			s.t.Fatal(err)
		}
		return pid
	}
	s.t.Fatalf("no process has the UID of the pod %s", pod.Name)
	return 0
}

// wantFinishedBy waits for the Job, and checks that another pod than this one has
// brought Vault to its end, and that nothing was done twice.
func (s *site) wantFinishedBy(other corev1.Pod) {
	s.t.Helper()
	s.jobDone("vault-bootstrap")
	if got, want := s.state(), "hardened"; got != want {
		s.t.Errorf("the Lease says %q, want %q", got, want)
	}
	if got := s.checkpoint().events(); !slices.Equal(got, everything) {
		s.t.Errorf("over both pods the events were %v, want %v", got, everything)
	}
	succeeded := 0
	for _, pod := range s.podsOf("job-name=vault-bootstrap") {
		if pod.Status.Phase == corev1.PodSucceeded && pod.UID != other.UID {
			succeeded++
		}
	}
	if succeeded != 1 {
		s.t.Errorf("%d other pods have succeeded, want one", succeeded)
	}
	s.wantUnsealed(time.Minute, 1)
}
