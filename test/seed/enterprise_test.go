package seed_test

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestEnterpriseOnly declares what the server of the suite does not have: the plan says
// so with the place, and nothing is written.
func TestEnterpriseOnly(t *testing.T) {
	if testbed.FactsFor(t).Namespaces {
		testbed.NotApplicable(t, "it has namespaces, and quotas of leases")
	}
	b := start(t)
	for name, test := range map[string]struct{ text, want string }{
		"namespace":          {"namespaces: [{path: team}]\n", "seed.yaml:1:14: sys/namespaces/team: this server lacks namespaces, which Vault Enterprise has"},
		"namespace and more": {"namespaces: [{path: team, policies: [{name: a, rules: 'path \"x\" {}'}], secrets: [{type: kv}]}]\n", "seed.yaml:1:14: sys/namespaces/team: this server lacks namespaces"},
		"lease-count quota":  {"quotas: {lease-counts: [{name: q, max_leases: 10}]}\n", "seed.yaml:1:25: sys/quotas/lease-count/q: this server lacks quotas of leases"},
		"request":            {"requests: [{name: r, path: sys/policies/egp/x, data: {policy: x}}]\n", "seed.yaml:1:12: request:r: this server lacks sys/policies/egp/x"},
	} {
		writes := b.writes(t, func() {
			objects := b.inline(t, test.text+"policies: [{name: faultless, rules: 'path \"x\" {}'}]\n")
			_, err := reconcile.NewPlan(t.Context(), b.as(t, b.root), reconcile.Goal{Objects: objects, Memory: b.memory, Parallelism: 16})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), ": 404") || fault.KindOf(err) != fault.Seed || fault.RemedyOf(err) == "" {
				t.Errorf("%s: got %v", name, err)
			}
		})
		if len(writes) > 0 {
			t.Errorf("%s: wrote %v", name, writes)
		}
	}
}
