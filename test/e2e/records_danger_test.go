package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// keepKeys gives the keys Secret a finalizer, for as long as the test runs.
func keepKeys(t *testing.T, namespace string) {
	t.Helper()
	patch := func(finalizers string) {
		_, err := kubernetes(t).Kubectl(context.WithoutCancel(t.Context()), "patch", "secret", "vault-bootstrap-keys", "-n", namespace,
			"--type=merge", `-p={"metadata":{"finalizers":`+finalizers+`}}`)
		if err != nil {
			t.Error(err)
		}
	}
	patch(`["example.com/keep"]`)
	t.Cleanup(func() { patch("null") })
}

// uninitialized fails unless nobody has initialized the cluster.
func uninitialized(t *testing.T, cluster *testbed.VaultCluster) {
	t.Helper()
	if code := health(t, cluster.Nodes[0]); code != 501 {
		t.Errorf("Vault's health is %d: it was initialized", code)
	}
}

// TestRecordsInDanger begins with a keys Secret that something is about to take away:
// Vault stays as it was, and the error says why. The first was a run that stored the
// keys, ended well, and lost them when the finalizer went.
func TestRecordsInDanger(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, namespace string)
		says  string
	}{
		"being deleted": {func(t *testing.T, namespace string) {
			kubectl(t, "create", "secret", "generic", "vault-bootstrap-keys", "-n", namespace)
			keepKeys(t, namespace)
			kubectl(t, "delete", "secret", "vault-bootstrap-keys", "-n", namespace, "--wait=false")
		}, "record is being deleted"},
		"owned": {func(t *testing.T, namespace string) {
			kubectl(t, "create", "configmap", "owner", "-n", namespace)
			uid := kubectl(t, "get", "configmap", "owner", "-n", namespace, "-o=jsonpath={.metadata.uid}")
			kubectl(t, "create", "secret", "generic", "vault-bootstrap-keys", "-n", namespace)
			kubectl(t, "patch", "secret", "vault-bootstrap-keys", "-n", namespace, "--type=merge",
				fmt.Sprintf(`-p={"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"owner","uid":%q}]}}`, uid))
		}, "record has an owner"},
		"the namespace": {func(t *testing.T, namespace string) {
			// The finalizer keeps the record for as long as the test looks at it.
			kubectl(t, "create", "secret", "generic", "vault-bootstrap-keys", "-n", namespace)
			keepKeys(t, namespace)
			kubectl(t, "delete", "namespace", namespace, "--wait=false")
		}, "namespace is being deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
			p, namespace, _ := inKubernetes(t, cluster)
			test.spoil(t, namespace)
			if name == "the namespace" {
				// The records and the account's rules go with it, so we are an administrator.
				p.flags = append(p.flags, "--kubeconfig="+kubernetes(t).AdminKubeconfig, "--namespace="+namespace)
			}
			done := p.must(70, "run")
			if !strings.Contains(done.Stderr, test.says) {
				t.Errorf("run does not say %q:\n%s", test.says, done.Stderr)
			}
			uninitialized(t, cluster)
		})
	}
}

// TestDangerOfAHardenedCluster warns wherever the records are read, and makes no new
// keys; what needs none goes on.
func TestDangerOfAHardenedCluster(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
	p, namespace, _ := inKubernetes(t, cluster)
	p.must(0, "run")
	keepKeys(t, namespace)
	kubectl(t, "delete", "secret", "vault-bootstrap-keys", "-n", namespace, "--wait=false")
	for _, verb := range []string{"run", "status", "keys list"} {
		if done := p.must(0, verb); !strings.Contains(done.Stderr, "record is being deleted") || !strings.Contains(done.Stderr, "copy the keys record now") {
			t.Errorf("%s does not warn:\n%s", verb, done.Stderr)
		}
	}
	if done := p.must(70, "keys rotate"); !strings.Contains(done.Stderr, "record is being deleted") {
		t.Errorf("keys rotate does not say why it refuses:\n%s", done.Stderr)
	}
}
