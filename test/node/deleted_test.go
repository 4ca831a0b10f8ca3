package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// apiDelay is added each way to what the sidecar says to the API server. A write with its answer
// takes twice that, and storing the keys takes several.
const apiDelay = 4 * time.Second

// TestVaultDeletedDuringInit deletes a pod of Vault's while its sidecar has the keys in its hands,
// and the API server is slow: the kubelet ends Vault, and then the sidecar, which stores the keys
// first. That takes longer than the 10 s that Vault's chart gives its pods. The next sidecar opens
// the Vault with them.
func TestVaultDeletedDuringInit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if cluster.Attached {
		t.Skip("the sidecar reaches the API server by a proxy on this machine")
	}
	api, err := cluster.ProxyForPods()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	s.helm("install", "bootstrap", shipped(chartPath), "--values="+shipped("manifests/examples/sidecar/vault-bootstrap.yaml"))
	s.kubectl("create", "configmap", stopMap, "--from-literal=at=initialize.intended")
	s.installVault(sidecarVault(t, api.Addr))
	pod := s.stoppedSidecar("initialize.intended")
	s.kubectl("delete", "configmap", stopMap)
	if grace := *pod.Spec.TerminationGracePeriodSeconds; grace != 300 {
		t.Errorf("the pod has %d s to end, want the 300 of the example", grace)
	}

	// The attempt is recorded, and Vault is asked now.
	api.Delay(apiDelay)
	s.resume(pod)
	s.until(time.Minute, "vault-0 to be initialized", func(ctx context.Context) error {
		h, err := s.health(ctx, "vault-0")
		if err == nil && !h.Initialized {
			err = errors.New("it is not yet")
		}
		return err
	})
	if shares := s.keySet().Shares; len(shares) > 0 {
		t.Fatal("the keys are stored already: nothing is shown")
	}
	began := time.Now()
	s.kubectl("delete", "pod", "vault-0", "--wait=false")
	took := s.until(2*time.Minute, "the keys to be stored", func(context.Context) error {
		if len(s.keySet().Shares) == 0 {
			return errors.New("they are not yet")
		}
		return nil
	})
	if took < 10*time.Second {
		t.Errorf("the keys were stored after %s, within the time that Vault's chart gives: nothing is shown", took)
	}
	s.until(5*time.Minute, "the end of the deleted pod", func(ctx context.Context) error {
		now, err := cluster.Client.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: vaultPods})
		if err == nil && slices.ContainsFunc(now.Items, func(each corev1.Pod) bool { return each.UID == pod.UID }) {
			err = errors.New("it is there")
		}
		return err
	})
	if took := time.Since(began); took > 5*time.Minute {
		t.Errorf("it ended after %s, want at most the 300 s of the example", took)
	}
	// Nobody else can have them: the pod's volume and its termination message are gone with it.
	stored := s.keySet()
	if len(stored.Shares) != 5 {
		t.Fatalf("%d shares are stored, want 5", len(stored.Shares))
	}
	api.Restore()
	s.wantUnsealed(2*time.Minute, 1) // while nobody has given the Leases back
	if now := s.keySet(); !slices.Equal(now.Shares, stored.Shares) {
		t.Error("the keys are others: Vault was initialized again")
	}
}

// sidecarVault are the values of the example for a Vault of one replica, whose sidecar stops where
// stopMap says, and reaches the API server at an address.
func sidecarVault(t *testing.T, api string) string {
	t.Helper()
	text, err := os.ReadFile(shipped("manifests/examples/sidecar/vault.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	server := values["server"].(map[string]any)
	var sidecars []corev1.Container
	example, err := yaml.Marshal(server["extraInitContainers"])
	if err == nil {
		err = yaml.UnmarshalStrict(example, &sidecars)
	}
	if err != nil || len(sidecars) != 1 {
		t.Fatalf("the example has %d sidecars: %v", len(sidecars), err)
	}
	host, port, err := net.SplitHostPort(api)
	if err != nil {
		t.Fatal(err)
	}
	optional := true
	sidecar := &sidecars[0]
	sidecar.Image = stoppableImage
	sidecar.Args = append(slices.DeleteFunc(sidecar.Args, func(arg string) bool { return strings.HasPrefix(arg, "--replicas") }),
		"--replicas=1",
		// The delay is none that a Lease of 15 s outlives.
		"--lease-duration=120s", "--lease-renew-deadline=100s", "--lease-retry-period=5s")
	sidecar.Env = append(sidecar.Env,
		corev1.EnvVar{Name: "KUBERNETES_SERVICE_HOST", Value: host},
		corev1.EnvVar{Name: "KUBERNETES_SERVICE_PORT", Value: port},
		corev1.EnvVar{Name: driver.StopVariable, ValueFrom: &corev1.EnvVarSource{
			ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: stopMap}, Key: "at", Optional: &optional},
		}})
	server["extraInitContainers"] = sidecars
	// The first process of a process namespace cannot be stopped from within.
	server["shareProcessNamespace"] = true
	made, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(made)
}

// stoppedSidecar waits until the sidecar of the only replica has stopped at a point.
func (s *site) stoppedSidecar(point string) corev1.Pod {
	s.t.Helper()
	s.until(2*time.Minute, "stop at "+point, func(ctx context.Context) error {
		logs, err := cluster.Client.CoreV1().Pods(s.namespace).GetLogs("vault-0", &corev1.PodLogOptions{Container: "vault-bootstrap"}).DoRaw(ctx)
		if err == nil && !bytes.Contains(logs, []byte(driver.StopLine(point))) {
			err = fmt.Errorf("it has not come there:\n%s", logs)
		}
		return err
	})
	pods := s.podsOf(vaultPods)
	if len(pods) != 1 {
		s.t.Fatalf("Vault has %d pods", len(pods))
	}
	return pods[0]
}
