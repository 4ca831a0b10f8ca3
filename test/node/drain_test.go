package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// twoWatches are two instances in one release, each with a Vault of its own. The first has two
// pods.
const twoWatches = `
first:
  name: first
  mode: watch
  vault: {scheme: http, replicas: 1, service: vault-one-internal, statefulSet: vault-one}
  watch: {replicas: 2, podDisruptionBudget: {enabled: true}}
second:
  name: second
  mode: watch
  vault: {scheme: http, replicas: 1, service: vault-two-internal, statefulSet: vault-two}
  watch: {podDisruptionBudget: {enabled: true}}
`

// vaultOf names the only pod of the Vault of each of them.
var vaultOf = map[string]string{"first": "vault-one-0", "second": "vault-two-0"}

// TestTwoInstancesAreDrained has two instances keep two Vaults in one namespace. Each budget counts
// the pods of its own instance; the node is drained while nobody waits for the other; and both
// Vaults are open again afterwards.
func TestTwoInstancesAreDrained(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if cluster.Attached {
		t.Skip("it drains the node of a cluster of somebody else")
	}
	for release, makesAccount := range map[string]bool{"vault-one": true, "vault-two": false} {
		account := fmt.Sprintf("server: {serviceAccount: {name: vault, create: %t}}", makesAccount)
		s.helm(append([]string{"install", release, "testdata/vault"}, s.valueFiles(restrictedVault, account)...)...)
	}
	s.helm(append([]string{"install", "watches", bothInstances(t), "--wait", "--timeout=4m"}, s.valueFiles(twoWatches)...)...)
	s.keepsBoth()

	s.wantBudget("first", 2, 1)
	s.wantBudget("second", 1, 1)
	t.Run("by eviction", func(t *testing.T) {
		s := s.in(t)
		first, second := s.instance("first"), s.instance("second")
		for _, pod := range []corev1.Pod{first[0], second[0]} {
			if err := s.evictNow(pod); err != nil {
				t.Errorf("%s is not evicted: %v", pod.Name, err)
			}
		}
		// Its own budget is used up, until the successor of the first one is ready.
		if err := s.evictNow(first[1]); !apierrors.IsTooManyRequests(err) {
			t.Errorf("of two pods both may go at the same time: %v", err)
		}
		s.wantBudget("first", 2, 1)
		s.wantBudget("second", 1, 1)
		if err := s.evictNow(first[1]); err != nil {
			t.Errorf("the second pod of the first instance is not evicted when its fellow is back: %v", err)
		}
		s.wantBudget("first", 2, 1)
	})
	t.Run("by a drain", func(t *testing.T) {
		s := s.in(t)
		// A fellow that has no other node to come back on would be waited for.
		s.kubectl("scale", "deployment", "first", "--replicas=1")
		s.wantBudget("first", 1, 1)
		s.drain("app.kubernetes.io/instance in (vault-one,vault-two,watches)")
		s.keepsBoth()
		s.wantBudget("first", 1, 1)
		s.wantBudget("second", 1, 1)
	})
}

// bothInstances is a chart with ours in it twice.
func bothInstances(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "charts", "vault-bootstrap"), os.DirFS(shipped(chartPath))); err != nil {
		t.Fatal(err)
	}
	const chart = "apiVersion: v2\nname: both\nversion: 0.1.0\ndependencies:\n" +
		"  - {name: vault-bootstrap, version: 0.1.0, alias: first}\n  - {name: vault-bootstrap, version: 0.1.0, alias: second}\n"
	if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte(chart), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// instance returns the pods of an instance that are not ending.
func (s *site) instance(name string) []corev1.Pod {
	s.t.Helper()
	var found []corev1.Pod
	for _, pod := range s.podsOf("vault-bootstrap.dev/name=" + name) {
		if pod.DeletionTimestamp == nil {
			found = append(found, pod)
		}
	}
	return found
}

// keepsBoth waits until both Vaults are hardened by the records of their own instance, and open.
func (s *site) keepsBoth() {
	s.t.Helper()
	seen := map[string]string{}
	for name, pod := range vaultOf {
		s.until(3*time.Minute, pod+" to be hardened and open", func(ctx context.Context) error {
			lease, err := cluster.Client.CoordinationV1().Leases(s.namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			var status struct {
				Initialized, Sealed bool
				ClusterID           string `json:"cluster_id"`
			}
			if err := s.ask(ctx, pod, request{method: http.MethodGet, path: "sys/seal-status"}, &status); err != nil {
				return err
			}
			if state := lease.Annotations["vault-bootstrap.dev/state"]; state != "hardened" || !status.Initialized || status.Sealed {
				return fmt.Errorf("the Lease says %q, and Vault %+v", state, status)
			}
			seen[status.ClusterID] = name
			return nil
		})
	}
	if len(seen) != len(vaultOf) {
		s.t.Errorf("the clusters are %v, want one of each instance", seen)
	}
}

// wantBudget waits until an instance's budget counts so many pods, all of them healthy, of which so
// many may go.
func (s *site) wantBudget(name string, pods, allowed int32) {
	s.t.Helper()
	s.until(2*time.Minute, "the budget of "+name, func(ctx context.Context) error {
		budget, err := cluster.Client.PolicyV1().PodDisruptionBudgets(s.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		status := budget.Status
		if status.ObservedGeneration != budget.Generation || status.ExpectedPods != pods || status.CurrentHealthy != pods || status.DisruptionsAllowed != allowed {
			return fmt.Errorf("its status is %+v", status)
		}
		return nil
	})
}

// evictNow asks once for the eviction of a pod.
func (s *site) evictNow(pod corev1.Pod) error {
	return cluster.Client.PolicyV1().Evictions(s.namespace).Evict(s.t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: s.namespace}})
}

// drain takes the pods with these labels off the node, as an administrator does, and lets it take
// pods again.
func (s *site) drain(selector string) {
	s.t.Helper()
	before := map[string]bool{}
	for _, pod := range s.podsOf(selector) {
		before[string(pod.UID)] = true
	}
	cordon.Lock()
	defer cordon.Unlock()
	defer s.kubectl("uncordon", testbed.NodeName)
	began := time.Now()
	s.kubectl("drain", testbed.NodeName, "--pod-selector="+selector, "--delete-emptydir-data", "--timeout=90s")
	s.t.Logf("the drain took %s", time.Since(began).Round(100*time.Millisecond))
	for _, pod := range s.podsOf(selector) {
		if before[string(pod.UID)] {
			s.t.Errorf("%s is still there: %v", pod.Name, errors.New(string(pod.Status.Phase)))
		}
	}
}
