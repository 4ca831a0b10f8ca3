package node

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// consumers are pods of an application that wants a hardened Vault before it starts.
const consumers = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: app}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: app}
rules:
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    resourceNames: [vault-bootstrap]
    verbs: [get, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: app}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: app}
subjects: [{kind: ServiceAccount, name: app}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 10
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      serviceAccountName: app
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      initContainers:
        - name: vault
          image: localhost/vault-bootstrap:dev
          args: [wait, --for=hardened, --vault-addr=http://vault:8200, --timeout=5m]
          securityContext: &restricted {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      containers:
        - name: app
          image: hashicorp/vault:1.21.1
          command: [sleep, "3600"]
          securityContext: *restricted
`

// TestConsumers starts ten pods that wait for Vault before there is one that answers,
// and checks that each starts when Vault is hardened, and none before.
func TestConsumers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := s.apply([]byte(consumers)); err != nil {
		t.Fatal(err)
	}
	s.installVault(plainVault())
	s.until(2*time.Minute, "ten pods to wait", func(ctx context.Context) error {
		return s.count(ctx, func(pod corev1.Pod) bool {
			return len(pod.Status.InitContainerStatuses) == 1 && pod.Status.InitContainerStatuses[0].State.Running != nil
		})
	})
	s.kubectl("apply", "-f", shipped("manifests/rbac.yaml"))
	s.kubectl("apply", "-f", shipped("manifests/job.yaml"))
	s.jobDone("vault-bootstrap")
	s.until(30*time.Second, "ten pods to start", func(ctx context.Context) error {
		return s.count(ctx, func(pod corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning })
	})
	lease, err := cluster.Client.CoordinationV1().Leases(s.namespace).Get(t.Context(), "vault-bootstrap", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	since, err := time.Parse(time.RFC3339, lease.Annotations["vault-bootstrap.dev/since"])
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range s.podsOf("app=app") {
		waited := pod.Status.InitContainerStatuses[0].State.Terminated
		if pod.Status.InitContainerStatuses[0].RestartCount != 0 {
			t.Errorf("%s: the init container was started again", pod.Name)
		}
		// The kubelet's times are in whole seconds.
		if late := waited.FinishedAt.Sub(since.Truncate(time.Second)); late < 0 || late > 5*time.Second {
			t.Errorf("%s: the init container ended %s after Vault was hardened", pod.Name, late)
		}
	}
}

// count says whether all ten pods of the application are as wanted.
func (s *site) count(ctx context.Context, wanted func(corev1.Pod) bool) error {
	pods, err := cluster.Client.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=app"})
	if err != nil {
		return err
	}
	n := 0
	for _, pod := range pods.Items {
		if wanted(pod) {
			n++
		}
	}
	if n != 10 {
		return fmt.Errorf("%d of %d pods are so", n, len(pods.Items))
	}
	return nil
}
