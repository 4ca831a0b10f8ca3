package e2e

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// ownPlanes are the control planes of tests that do not share one, by their names.
var ownPlanes sync.Map

func kubernetes(t *testing.T) *testbed.ControlPlane {
	t.Helper()
	if own, ok := ownPlanes.Load(t.Name()); ok {
		return own.(*testbed.ControlPlane)
	}
	return suite.Kubernetes(t)
}

// namespaceFor makes a namespace with nothing in it but what manifests/rbac.yaml
// ships, and a service account for Vault that may review tokens.
func namespaceFor(t *testing.T) string {
	t.Helper()
	plane := kubernetes(t)
	namespace := "e2e-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(strings.TrimPrefix(t.Name(), "Test")))
	kubectl(t, "create", "namespace", namespace)
	kubectl(t, "apply", "-n", namespace, "-f", "../../manifests/rbac.yaml")
	kubectl(t, "create", "serviceaccount", "vault", "-n", namespace)
	kubectl(t, "create", "clusterrolebinding", namespace, "--clusterrole=system:auth-delegator", "--serviceaccount="+namespace+":vault")
	t.Cleanup(func() { _, _ = plane.Kubectl(t.Context(), "delete", "clusterrolebinding", namespace) })
	// Pods are refused until the namespace has its default service account.
	err := testbed.Poll(t.Context(), 50*time.Millisecond, "the default service account", func(ctx context.Context) error {
		_, err := plane.Kubectl(ctx, "get", "serviceaccount", "default", "-n", namespace)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return namespace
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := kubernetes(t).Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tokenOf returns a token of a service account, and notes that it is a secret.
func tokenOf(t *testing.T, namespace, account string, audiences ...string) string {
	t.Helper()
	token, err := kubernetes(t).ServiceAccountToken(t.Context(), namespace, account, audiences, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, token)
	return token
}

// inKubernetes returns a program that keeps its records in a namespace of its own
// and acts as the Job's service account, with nothing but the shipped rules.
func inKubernetes(t *testing.T, cluster *testbed.VaultCluster, flags ...string) (p *program, namespace, auditLog string) {
	t.Helper()
	namespace = namespaceFor(t)
	plane := kubernetes(t)
	kubeconfig, err := plane.KubeconfigFor(tokenOf(t, namespace, "vault-bootstrap"), namespace)
	if err != nil {
		t.Fatal(err)
	}
	login := filepath.Join(t.TempDir(), "token")
	write(t, login, tokenOf(t, namespace, "vault-bootstrap", "vault"))
	seed, auditLog := exampleSeed(t)
	// In a cluster Vault reviews tokens with its own pod's token; here it has no pod.
	reviewer := filepath.Join(t.TempDir(), "reviewer")
	write(t, reviewer, tokenOf(t, namespace, "vault"))
	write(t, seed, strings.Replace(read(t, seed), "\nauth:\n", fmt.Sprintf(`
auth:
  - type: kubernetes
    config:
      kubernetes_host: %s
      kubernetes_ca_cert: '${ file "%s" }'
      token_reviewer_jwt: '${ file "%s" }'
`, plane.URL, plane.CAFile, reviewer), 1))
	p = &program{t: t, flags: append([]string{"--kubeconfig=" + kubeconfig, "--login-token-file=" + login, "--seed=" + seed}, flags...)}
	if cluster != nil {
		p.flags = append(p.flags, driver.VaultFlags(cluster)...)
	}
	p.keys = func() []byte {
		out, err := plane.Kubectl(t.Context(), "get", "secret", "-n", namespace, "vault-bootstrap-keys", "--ignore-not-found", `-o=jsonpath={.data.keys\.json}`)
		if err != nil {
			t.Fatal(err)
		}
		record, err := base64.StdEncoding.DecodeString(out)
		if err != nil {
			t.Fatal(err)
		}
		return record
	}
	return p, namespace, auditLog
}

// TestKubernetes completes the bootstrap with nothing but the shipped rules.
func TestKubernetes(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
	p, namespace, auditLog := inKubernetes(t, cluster)
	wantEvents(t, "first run", p.must(0, "run").Events(), "initialize", "unseal", "seed", "harden")
	if keysIn(t, p).Root != nil {
		t.Error("the Secret holds a root token")
	}

	_, before := driver.AuditFor(t, auditLog, 0)
	wantEvents(t, "rerun", p.must(0, "run").Events())
	entries, _ := driver.AuditFor(t, auditLog, before)
	if found := writes(entries); len(found) > 0 {
		t.Errorf("the rerun wrote: %v", found)
	}

	t.Run("the records show no secret and their state", func(t *testing.T) {
		secrets := testbed.SecretsIn(p.keys())
		shown := kubectl(t, "get", "secret,lease", "-n", namespace, "-o=yaml", "-l=app.kubernetes.io/name=vault-bootstrap")
		state := kubectl(t, "get", "secret", "-n", namespace, "vault-bootstrap-state", `-o=jsonpath={.data.state\.json}`)
		decoded, err := base64.StdEncoding.DecodeString(state)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(decoded), secret) {
				t.Error("the checkpoint holds a secret")
			}
		}
		if !strings.Contains(shown, "hardened") {
			t.Errorf("no annotation says hardened:\n%s", kubectl(t, "get", "lease", "-n", namespace, "-o=yaml"))
		}
		if strings.Contains(shown, "ownerReferences") {
			t.Error("an owner is set: the keys would go with it")
		}
	})
	t.Run("our role cannot be used by another account", func(t *testing.T) {
		kubectl(t, "create", "serviceaccount", "other", "-n", namespace)
		for name, token := range map[string]string{
			"another account":  tokenOf(t, namespace, "other", "vault"),
			"another audience": tokenOf(t, namespace, "vault-bootstrap"),
		} {
			err := cluster.Nodes[0].Call(t.Context(), http.MethodPost, "auth/kubernetes/login", "", map[string]any{"role": "vault-bootstrap", "jwt": token}, nil)
			if failed, ok := errors.AsType[*testbed.VaultError](err); !ok || failed.Status/100 != 4 {
				t.Errorf("%s: login gives %v", name, err)
			}
		}
	})
	t.Run("status with get on the checkpoint only", func(t *testing.T) {
		kubectl(t, "create", "serviceaccount", "reader", "-n", namespace)
		kubectl(t, "create", "role", "reader", "-n", namespace, "--verb=get", "--resource=secrets", "--resource-name=vault-bootstrap-state")
		kubectl(t, "create", "rolebinding", "reader", "-n", namespace, "--role=reader", "--serviceaccount="+namespace+":reader")
		kubeconfig, err := kubernetes(t).KubeconfigFor(tokenOf(t, namespace, "reader"), namespace)
		if err != nil {
			t.Fatal(err)
		}
		reader := &program{t: t, flags: append(driver.VaultFlags(cluster), "--kubeconfig="+kubeconfig)}
		if state := status(reader)["state"]; state != "hardened" {
			t.Errorf("status says %v", state)
		}
	})
}

// TestMissingRule takes one rule away at a time.
func TestMissingRule(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := testbed.HTTPProxyFor(t, cluster.Nodes[0].Addr)
	requests := proxy.Inject(testbed.Fault{Path: "*"})
	p, namespace, _ := inKubernetes(t, nil, "--vault-addr="+proxy.URL)
	for rule, names := range []string{"vault-bootstrap-keys", "vault-bootstrap-state", "leases", "pods"} {
		t.Run(names, func(t *testing.T) {
			in := *p
			in.t = t
			kubectl(t, "patch", "role", "vault-bootstrap", "-n", namespace, "--type=json", fmt.Sprintf(`-p=[{"op":"remove","path":"/rules/%d"}]`, rule))
			says := []string{names, "get", "rules of a Role"}
			if names != "pods" { // the one rule that only looks, at objects whose names nobody knows
				says = append(says, "create", "update", "resourceNames")
			}
			wantFailure(t, in.run("run"), 64, says...)
			kubectl(t, "apply", "-n", namespace, "-f", "../../manifests/rbac.yaml")
		})
	}
	if got := requests(); got != 0 {
		t.Errorf("Vault got %d requests", got)
	}
}

func TestKilledAfterEachStateInKubernetes(t *testing.T) {
	killEverywhere(t, func(t *testing.T) (*program, string) {
		cluster := testbed.VaultFor(t, testbed.VaultOptions{})
		p, _, auditLog := inKubernetes(t, cluster, "--lease-duration=3s", "--lease-renew-deadline=2s", "--lease-retry-period=500ms")
		return p, auditLog
	})
}

func TestTwoAtOnceInKubernetes(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, _, _ := inKubernetes(t, cluster)
	togetherOneActs(t, p, 2)
}

// TestManifestsAreAdmitted has the API server check what we ship.
func TestManifestsAreAdmitted(t *testing.T) {
	namespace := namespaceFor(t)
	kubectl(t, "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
	out := kubectl(t, "apply", "-n", namespace, "--dry-run=server", "--warnings-as-errors", "-f", "../../manifests/job.yaml")
	if !strings.Contains(out, "job.batch/vault-bootstrap created") {
		t.Errorf("the API server says:\n%s", out)
	}
}
