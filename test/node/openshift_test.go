package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// assigned gives the pods of ours in a namespace a user and a group of files, as OpenShift's
// 'restricted-v2' does from the range of the namespace. A pod that brings its own is refused there,
// and here.
const assigned = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  reinvocationPolicy: Never
  failurePolicy: Fail
  matchConstraints:
    objectSelector: {matchLabels: {app.kubernetes.io/name: vault-bootstrap}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  mutations:
    - patchType: ApplyConfiguration
      applyConfiguration:
        expression: |
          Object{spec: Object.spec{
            securityContext: Object.spec.securityContext{fsGroup: %[2]d},
            containers: object.spec.containers.map(c, Object.spec.containers{
              name: c.name,
              securityContext: Object.spec.containers.securityContext{runAsUser: %[2]d}})}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec:
  policyName: %[1]s
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  failurePolicy: Fail
  matchConstraints:
    objectSelector: {matchLabels: {app.kubernetes.io/name: vault-bootstrap}}
    resourceRules: [{apiGroups: [batch, apps], apiVersions: [v1], operations: [CREATE], resources: [jobs, deployments]}]
  validations:
    - expression: >-
        !has(object.spec.template.spec.securityContext) ||
        !has(object.spec.template.spec.securityContext.runAsUser) && !has(object.spec.template.spec.securityContext.runAsGroup) && !has(object.spec.template.spec.securityContext.fsGroup)
      message: the pods bring a user or a group of their own
    - expression: "object.spec.template.spec.containers.all(c, !has(c.securityContext) || !has(c.securityContext.runAsUser) && !has(c.securityContext.runAsGroup))"
      message: a container brings a user or a group of its own
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec:
  policyName: %[1]s
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}}
`

// TestArbitraryUser runs the Job and the watch as a user that the cluster chooses, who is in no
// file of the image, in the group 0: the chart as it is rendered for OpenShift.
func TestArbitraryUser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	user := 1_000_000_000 + 10_000*rand.Int64N(100_000)
	s.assignUser(user)
	s.installVault()
	one := "\nvault: {scheme: http, replicas: 1}\n"
	values := func(mode string) string {
		return strings.Replace(chartValues(mode, "first"), "\nvault: {scheme: http}\n", one, 1)
	}

	s.applyForOpenShift(values("job"))
	jobs, err := cluster.Client.BatchV1().Jobs(s.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) != 1 {
		t.Fatalf("there are %d Jobs: %v", len(jobs.Items), err)
	}
	s.jobDone(jobs.Items[0].Name)
	s.wantUser("app.kubernetes.io/component=run", user)
	s.wantHardened(1)
	if got := s.checkpoint().events(); !slices.Equal(got, everything) {
		t.Errorf("the events were %v, want %v", got, everything)
	}

	s.applyForOpenShift(values("watch"))
	s.kubectl("rollout", "status", "deployment/vault-bootstrap", "--timeout=120s")
	s.wantUser("app.kubernetes.io/component=watch", user)
	s.wantUnsealedAfterDeletion(0)
	s.until(time.Minute, "the Lease to say hardened", s.hardened)
}

// assignUser has the API server choose the user of our pods, and waits until it does.
func (s *site) assignUser(user int64) {
	s.t.Helper()
	if err := s.apply(fmt.Appendf(nil, assigned, s.namespace, user)); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		kinds := "mutatingadmissionpolicies,mutatingadmissionpolicybindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
		if _, err := cluster.Kubectl(context.Background(), "delete", kinds, "--field-selector=metadata.name="+s.namespace); err != nil {
			s.t.Error(err)
		}
	})
	probe := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-", Labels: map[string]string{"app.kubernetes.io/name": "vault-bootstrap"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{restrictedContainer()}},
	}
	s.until(time.Minute, "the policies to be in force", func(ctx context.Context) error {
		made, err := cluster.Client.CoreV1().Pods(s.namespace).Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return err
		}
		if chosen := made.Spec.Containers[0].SecurityContext.RunAsUser; chosen == nil || *chosen != user {
			return errors.New("the user is not chosen")
		}
		return nil
	})
	// What the chart renders elsewhere is refused, or nothing is shown.
	elsewhere := s.helm("template", "refused", shipped(chartPath), "--set=mode=watch,name=refused", "--show-only=templates/deployment.yaml")
	s.until(time.Minute, "a user of the chart's to be refused", func(context.Context) error {
		err := s.apply([]byte(elsewhere))
		if err != nil && strings.Contains(err.Error(), "the pods bring a user or a group of their own") {
			return nil
		}
		return fmt.Errorf("the API server says %v", err) //nolint:errorlint // it may be none
	})
}

// restrictedContainer is one that Pod Security admits.
func restrictedContainer() corev1.Container {
	yes, no := true, false
	return corev1.Container{Name: "probe", Image: "none", SecurityContext: &corev1.SecurityContext{
		RunAsNonRoot: &yes, AllowPrivilegeEscalation: &no,
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}}
}

// applyForOpenShift applies the chart as Helm renders it where it sees OpenShift.
func (s *site) applyForOpenShift(values string) {
	s.t.Helper()
	args := []string{"template", "bootstrap", shipped(chartPath), "--api-versions=security.openshift.io/v1", "--skip-tests"}
	rendered := s.helm(append(args, s.valueFiles(values)...)...)
	if err := s.apply([]byte(rendered)); err != nil {
		s.t.Fatal(err)
	}
}

// wantUser checks what the runtime says of the users of pods.
func (s *site) wantUser(selector string, user int64) {
	s.t.Helper()
	pods := s.podsOf(selector)
	if len(pods) == 0 {
		s.t.Errorf("there is no pod %s", selector)
	}
	for _, pod := range pods {
		for _, container := range pod.Status.ContainerStatuses {
			if container.User == nil || container.User.Linux == nil {
				s.t.Errorf("%s: the runtime does not say as whom %s runs", pod.Name, container.Name)
				continue
			}
			if is := container.User.Linux; is.UID != user || is.GID != 0 {
				s.t.Errorf("%s runs as %d:%d, want %d:0", pod.Name, is.UID, is.GID, user)
			}
		}
	}
}
