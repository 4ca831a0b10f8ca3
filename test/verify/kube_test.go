package verify_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

const (
	namespace = "vault"
	account   = "vault-bootstrap"
)

// kubernetesControls are those about the cluster around Vault.
var kubernetesControls = []string{"keys-secret-readers", "keys-secret-owner", "records-in-danger", "pod-security", "network-policy"}

// cluster is a Vault beside a control plane that keeps its keys.
type cluster struct {
	*program
	plane *testbed.ControlPlane
}

func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.plane.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c *cluster) apply(t *testing.T, manifest string) {
	t.Helper()
	if err := c.plane.Apply(t.Context(), []byte(manifest)); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) token(t *testing.T, name string, audiences ...string) string {
	t.Helper()
	token, err := c.plane.ServiceAccountToken(t.Context(), namespace, name, audiences, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, token)
	return token
}

// inKubernetes runs the program with the rules of manifests/rbac.yaml and no others.
func inKubernetes(t *testing.T) *cluster {
	t.Helper()
	vault := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
	c := &cluster{plane: testbed.ControlPlaneFor(t, testbed.ControlPlaneOptions{})}
	c.kubectl(t, "create", "namespace", namespace)
	c.kubectl(t, "apply", "-n", namespace, "-f", "../../manifests/rbac.yaml")
	c.kubectl(t, "create", "serviceaccount", "vault", "-n", namespace)
	c.kubectl(t, "create", "clusterrolebinding", "reviews", "--clusterrole=system:auth-delegator", "--serviceaccount="+namespace+":vault")
	kubeconfig, err := c.plane.KubeconfigFor(c.token(t, account), namespace)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// In a cluster Vault reviews tokens with its own pod's token; here it has no pod.
	seed := goodSeed(dir, "") + fmt.Sprintf(`
auth:
  - type: kubernetes
    config: {kubernetes_host: '%s', kubernetes_ca_cert: '${ file "%s" }', token_reviewer_jwt: '${ file "%s" }'}
`, c.plane.URL, c.plane.CAFile, write(t, filepath.Join(dir, "reviewer"), c.token(t, "vault")))
	// The good seed has a list of auth methods already.
	first, rest, _ := strings.Cut(seed, "\nauth:\n")
	middle, last, _ := strings.Cut(rest, "\nauth:\n")
	c.program = &program{
		flags: append([]string{"--kubeconfig=" + kubeconfig, "--login-token-file=" + write(t, filepath.Join(dir, "token"), c.token(t, account, "vault")), "--ca-cert=" + vault.CAFile},
			"--vault-addr="+vault.Nodes[0].Addr),
		seed: write(t, filepath.Join(dir, "seed.yaml"), first+"\nauth:\n"+last+middle),
	}
	c.keys = func(t *testing.T) []byte {
		out := c.kubectl(t, "get", "secret", "-n", namespace, account+"-keys", "--ignore-not-found", `-o=jsonpath={.data.keys\.json}`)
		record, err := base64.StdEncoding.DecodeString(out)
		if err != nil {
			t.Fatal(err)
		}
		return record
	}
	c.must(t, 0, "run")
	return c
}

// TestKubernetesControls makes the cluster around Vault bad.
func TestKubernetesControls(t *testing.T) {
	t.Parallel()
	c := inKubernetes(t)
	blind := c.verify(t)
	for _, id := range []string{"keys-secret-readers", "pod-security", "network-policy"} {
		want(t, blind, id, harden.Unknown)
		if !strings.Contains(blind[id].Seen, "allow it to") {
			t.Errorf("%s does not say how to allow it: %s", id, blind[id].Seen)
		}
	}
	want(t, blind, "keys-secret-owner", harden.Holds)

	c.kubectl(t, "apply", "-f", "../../manifests/rbac-verify.yaml")
	c.apply(t, pod("vault-0", true)+networkPolicy)
	good := c.verify(t)
	for _, id := range kubernetesControls {
		want(t, good, id, harden.Holds)
	}
	t.Run("readers", func(t *testing.T) { c.readers(t, good) })
	t.Run("owner", func(t *testing.T) {
		uid := c.kubectl(t, "get", "serviceaccount", "vault", "-n", namespace, "-o=jsonpath={.metadata.uid}")
		patch := fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ServiceAccount","name":"vault","uid":%q}]}}`, uid)
		c.kubectl(t, "patch", "secret", account+"-keys", "-n", namespace, "--type=merge", "-p="+patch)
		c.blames(t, good, "keys-secret-owner", "ServiceAccount/vault")
		c.kubectl(t, "patch", "secret", account+"-keys", "-n", namespace, "--type=merge", `-p={"metadata":{"ownerReferences":null}}`)
		c.blames(t, good, "")
	})
	t.Run("danger", func(t *testing.T) {
		c.kubectl(t, "patch", "lease", account, "-n", namespace, "--type=merge", `-p={"metadata":{"finalizers":["example.com/keep"]}}`)
		c.kubectl(t, "delete", "lease", account, "-n", namespace, "--wait=false")
		c.blames(t, good, "records-in-danger", `Lease "vault/vault-bootstrap" is being deleted: it will be gone when its last finalizer is removed`)
		c.kubectl(t, "patch", "lease", account, "-n", namespace, "--type=merge", `-p={"metadata":{"finalizers":null}}`)
		c.blames(t, good, "")
	})
	t.Run("pod security", func(t *testing.T) {
		c.apply(t, pod("vault-1", false))
		c.blames(t, good, "pod-security", "vault-1/vault: may run as root", "vault-1/vault: privilege escalation", "vault-1/vault: privileged")
		c.kubectl(t, "delete", "pod", "vault-1", "-n", namespace, "--force")
		c.blames(t, good, "")
	})
	t.Run("network policy", func(t *testing.T) {
		c.kubectl(t, "delete", "networkpolicy", "vault", "-n", namespace)
		c.blames(t, good, "network-policy", "vault-0")
		c.apply(t, networkPolicy)
		c.blames(t, good, "")
	})
	t.Run("run requires them by name only", func(t *testing.T) {
		required, err := os.ReadFile(c.seed)
		if err != nil {
			t.Fatal(err)
		}
		seed := "--seed=" + write(t, filepath.Join(t.TempDir(), "seed.yaml"), strings.Replace(string(required), "harden:\n", "harden:\n  require: [network-policy]\n", 1))
		c.must(t, 0, "run", seed)
		c.kubectl(t, "delete", "networkpolicy", "vault", "-n", namespace)
		if done := c.must(t, 70, "run", seed); !strings.Contains(done.Stderr, "network-policy: A pod is guarded by no NetworkPolicy (1 pod): vault-0") {
			t.Errorf("run does not say why it stopped:\n%s", done.Stderr)
		}
		c.must(t, 0, "run")
		c.apply(t, networkPolicy)
		c.must(t, 0, "run", seed)
	})
}

// readers lets others read the Secret: an account, by its own name and by its
// namespace's group, and everybody.
func (c *cluster) readers(t *testing.T, good map[string]shown) {
	c.kubectl(t, "create", "namespace", "apps")
	c.kubectl(t, "create", "serviceaccount", "app", "-n", "apps")
	c.kubectl(t, "create", "role", "reader", "-n", namespace, "--verb=get", "--resource=secrets")
	c.kubectl(t, "create", "clusterrole", "lister", "--verb=list", "--resource=secrets")
	c.blames(t, good, "")
	for _, each := range []struct{ binding, kind, subject, blamed string }{
		{"rolebinding", "--role=reader", "--serviceaccount=apps:app", "apps/app"},
		{"rolebinding", "--role=reader", "--group=system:serviceaccounts:apps", "apps/app"},
		{"clusterrolebinding", "--clusterrole=lister", "--serviceaccount=apps:app", "apps/app"},
		{"clusterrolebinding", "--clusterrole=lister", "--group=system:authenticated", "group system:authenticated"},
		{"clusterrolebinding", "--clusterrole=cluster-admin", "--group=system:serviceaccounts", "group system:serviceaccounts"},
	} {
		args := []string{each.binding, "test"}
		if each.binding == "rolebinding" {
			args = append(args, "-n", namespace)
		}
		c.kubectl(t, append([]string{"create"}, append(args, each.kind, each.subject)...)...)
		c.blames(t, good, "keys-secret-readers", each.blamed)
		c.kubectl(t, append([]string{"delete"}, args...)...)
		c.blames(t, good, "")
	}
}

// blames waits until the control blames the object, as the API server takes rules in
// one after another; with "" until all is good again. Nothing else may differ.
func (c *cluster) blames(t *testing.T, good map[string]shown, control string, objects ...string) {
	t.Helper()
	b := &bed{program: c.program}
	b.until(t, "blame for "+control, func(found map[string]shown) bool {
		if control == "" {
			return len(changed(good, found)) == 0
		}
		differs := changed(good, found)
		got := found[control].Objects
		blamed := !slices.ContainsFunc(objects, func(object string) bool { return !slices.Contains(got, object) })
		return len(differs) == 1 && found[control].Status == harden.Fails && blamed
	})
}

// pod is one of Vault's, as far as the API server goes: there is no node to run it.
func pod(name string, restricted bool) string {
	context := "{privileged: true}"
	if restricted {
		context = "{allowPrivilegeEscalation: false, runAsNonRoot: true}"
	}
	return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s, labels: {app.kubernetes.io/name: vault}}
spec:
  serviceAccountName: vault
  containers: [{name: vault, image: vault, securityContext: %s}]
`, name, namespace, context)
}

const networkPolicy = `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: vault, namespace: vault}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: vault}}
  policyTypes: [Ingress]
  ingress: [{ports: [{port: 8200}]}]
`
