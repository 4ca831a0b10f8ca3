package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// withoutRule takes the rule with that index from our Role.
func withoutRule(t *testing.T, namespace string, rule int) {
	t.Helper()
	kubectl(t, "patch", "role", "vault-bootstrap", "-n", namespace, "--type=json", fmt.Sprintf(`-p=[{"op":"remove","path":"/rules/%d"}]`, rule))
}

// withRules gives back the shipped rules.
func withRules(t *testing.T, namespace string) {
	t.Helper()
	kubectl(t, "apply", "-n", namespace, "-f", "../../manifests/rbac.yaml")
}

// TestPermissionsEndRuns takes permissions away, at the start and in the middle: each verb waits for
// as long as a new rule may take, and ends with the verb, the resource, the namespace and the rule.
func TestPermissionsEndRuns(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, namespace, _ := inKubernetes(t, cluster)
	seed := "--seed=" + p.flags[2][len("--seed="):]
	stopped := p.stopped("entered.unsealed", "run")
	root := keysIn(t, p).Root.Token
	testbed.NoteSecrets(t, root)

	withoutRule(t, namespace, 0)
	if r := p.with("VAULT_TOKEN="+root).run("plan", seed); r.Code != 0 {
		t.Errorf("with a token, the records need not be readable\n%s", r)
	}
	ends(t, p, "plan", []string{seed, p.flags[1]}, "get secrets", "vault-bootstrap-keys", namespace, "rules of a Role")
	withRules(t, namespace)
	stopped.Send(sigcont)
	stopped.Exits(0)

	withoutRule(t, namespace, 1)
	ends(t, p, "status", nil, "get secrets", "vault-bootstrap-state", namespace, "rules of a Role")
	withRules(t, namespace)

	if err := cluster.Nodes[0].Stop(); err != nil {
		t.Fatal(err)
	}
	run := p.start("run") // it would wait for 10 minutes
	run.Says("waiting for an answer", 1)
	withoutRule(t, namespace, 0)
	began := time.Now()
	r := run.Wait()
	wantFailure(t, r, 64, "get secrets", "vault-bootstrap-keys", namespace, "rules of a Role")
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it waited for a rule for %s", took)
	}
	withRules(t, namespace)

	selector := []string{"--vault-selector=app=vault", "--vault-scheme=http", "--replicas=1"}
	p.flags = p.flags[:3]
	ends(t, p, "run", selector, "list pods", namespace, "rules of a Role")
	ends(t, p, "status", selector, "list pods", namespace, "rules of a Role")
}

// ends runs a verb that lacks a permission to its end, which is soon.
func ends(t *testing.T, p *program, verb string, flags []string, says ...string) {
	t.Helper()
	began := time.Now()
	wantFailure(t, p.run(verb, flags...), 64, says...)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("%s waited for a rule for %s", verb, took)
	}
}
