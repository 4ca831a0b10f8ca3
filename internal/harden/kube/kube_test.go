package kube_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/kube"
	base "github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube/kubetest"
)

type document = map[string]any

const policies = "/apis/networking.k8s.io/v1/namespaces/ns/networkpolicies"

// cluster returns a server with a keys Secret, service accounts and no pod.
func cluster(t *testing.T) (*kubetest.Server, kube.Cluster) {
	t.Helper()
	server := kubetest.Start(t)
	client, err := base.New(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	server.Put("secrets", &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "vb-keys"}})
	account := func(namespace, name string) document {
		return document{"metadata": document{"namespace": namespace, "name": name}}
	}
	server.Serve("/api/v1/serviceaccounts", document{"items": []document{
		account("kube-system", "controller"), account(kubetest.Namespace, "us"), account("other", "app"), account(kubetest.Namespace, "backup"),
	}})
	server.Serve(policies, document{"items": []document{}})
	server.Allow(func(string, string, string, string) bool { return false })
	return server, kube.Cluster{In: base.Namespace{Client: client, Name: kubetest.Namespace}, Secret: "vb-keys", PodLabels: "app=vault"}
}

func is(t *testing.T, what string, fact harden.Fact[[]string], want ...string) {
	t.Helper()
	if got, known := fact.Get(); !known || !slices.Equal(got, want) {
		t.Errorf("%s: %q (known: %v), want %q", what, got, known, want)
	}
}

func unknown(t *testing.T, what string, fact harden.Fact[[]string], says string) {
	t.Helper()
	if got, known := fact.Get(); known || !strings.Contains(fact.Why(), says) {
		t.Errorf("%s: %q, %q, want it unknown for %q", what, got, fact.Why(), says)
	}
}

func TestReadersAndOwners(t *testing.T) {
	server, at := cluster(t)
	found := at.Read(t.Context())
	is(t, "owners", found.Owners)
	is(t, "readers", found.Readers)
	if found.Asked != 5 { // three groups, and the accounts but ours and the cluster's own
		t.Errorf("%d were asked about", found.Asked)
	}
	server.Put("secrets", &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "vb-keys", OwnerReferences: []metav1.OwnerReference{{Kind: "Vault", Name: "v"}}}})
	server.Allow(func(user, verb, _, _ string) bool { return verb == "list" && strings.HasSuffix(user, ":backup") })
	found = at.Read(t.Context())
	is(t, "owners", found.Owners, "Vault/v")
	is(t, "readers", found.Readers, "ns/backup")
	server.Allow(func(user, _, _, _ string) bool { return strings.Contains(user, "service") })
	is(t, "readers", at.Read(t.Context()).Readers, "group system:serviceaccounts")
}

func TestPods(t *testing.T) {
	server, at := cluster(t)
	yes, no, user := true, false, int64(100)
	good := corev1.SecurityContext{AllowPrivilegeEscalation: &no}
	pod := func(name, app string, spec corev1.PodSpec) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": app}}, Spec: spec}
	}
	server.Put("pods", pod("vault-0", "vault", corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{RunAsUser: &user}, Containers: []corev1.Container{{Name: "vault", SecurityContext: &good}},
	}))
	server.Put("pods", pod("vault-1", "vault", corev1.PodSpec{
		HostNetwork: true, SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes},
		InitContainers: []corev1.Container{{Name: "init", SecurityContext: &corev1.SecurityContext{Privileged: &yes, RunAsNonRoot: &no, AllowPrivilegeEscalation: &no}}},
		Containers:     []corev1.Container{{Name: "vault"}},
	}))
	server.Put("pods", pod("other", "other", corev1.PodSpec{HostPID: true, HostIPC: true}))
	found := at.Read(t.Context())
	if found.PodsSeen != 2 {
		t.Errorf("%d pods were seen", found.PodsSeen)
	}
	is(t, "pods", found.Pods, "vault-1/init: may run as root", "vault-1/init: privileged", "vault-1/vault: privilege escalation", "vault-1: host network")
	is(t, "uncovered", found.Uncovered, "vault-0", "vault-1")
	selecting := func(labels document, types ...string) document {
		return document{"spec": document{"podSelector": document{"matchLabels": labels}, "policyTypes": types}}
	}
	for name, test := range map[string]struct {
		policy    document
		uncovered []string
	}{
		"egress only": {selecting(document{"app": "vault"}, "Egress"), []string{"vault-0", "vault-1"}},
		"of another":  {selecting(document{"app": "other"}, "Ingress"), []string{"vault-0", "vault-1"}},
		"ingress":     {selecting(document{"app": "vault"}, "Egress", "Ingress"), nil},
		"no type":     {selecting(document{}), nil},
	} {
		server.Serve(policies, document{"items": []document{test.policy}})
		is(t, name, at.Read(t.Context()).Uncovered, test.uncovered...)
	}
	at.PodLabels = "a=b=c"
	unknown(t, "pods", at.Read(t.Context()).Pods, "expected")
}

// What may not be read is not known, and says which rule would allow it.
func TestWhatIsRefused(t *testing.T) {
	for resource, test := range map[string]struct {
		of   func(*harden.Kubernetes) harden.Fact[[]string]
		says string
	}{
		"secrets":              {func(k *harden.Kubernetes) harden.Fact[[]string] { return k.Owners }, `allow it to get secrets "vb-keys"`},
		"serviceaccounts":      {func(k *harden.Kubernetes) harden.Fact[[]string] { return k.Readers }, "list serviceaccounts"},
		"selfsubjectreviews":   {func(k *harden.Kubernetes) harden.Fact[[]string] { return k.Readers }, "list serviceaccounts"},
		"subjectaccessreviews": {func(k *harden.Kubernetes) harden.Fact[[]string] { return k.Readers }, "system:auth-delegator"},
		"pods":                 {func(k *harden.Kubernetes) harden.Fact[[]string] { return k.Pods }, "list pods"},
		"networkpolicies":      {func(k *harden.Kubernetes) harden.Fact[[]string] { return k.Uncovered }, "list networkpolicies"},
	} {
		server, at := cluster(t)
		for refusal, says := range map[string]string{"denied": test.says, "broken": "etcd is away"} {
			server.Refuse(func(r kubetest.Request) *metav1.Status {
				switch {
				case r.Resource != resource:
					return nil
				case refusal == "denied":
					return kubetest.Denied(r)
				default:
					return kubetest.Broken(r)
				}
			})
			unknown(t, resource, test.of(at.Read(t.Context())), says)
		}
	}
	server, at := cluster(t)
	server.Remove("secrets", "vb-keys")
	unknown(t, "owners", at.Read(t.Context()).Owners, "there is no Secret vb-keys")
}
