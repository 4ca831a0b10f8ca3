package seed_test

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// TestPoliciesOfTeamsByReference holds that a reference among the policies of a team is followed:
// without its text the team would be left without that policy.
func TestPoliciesOfTeamsByReference(t *testing.T) {
	resolver := seed.Resolver{Env: func(name string) (string, bool) { return "from-" + strings.ToLower(name), true }}
	objects := desired(t, write(t, "s.yaml", "auth:\n  - type: github\n    map: {teams: {dev: [reader, '${ env \"X\" }', ops]}, users: {ann: '${ env \"Y\" }'}}\n"), resolver)
	want := map[string]string{"auth/github/map/teams/dev": "reader,from-x,ops", "auth/github/map/users/ann": "from-y"}
	for _, o := range objects {
		policies, wanted := want[string(o.ID)]
		if got := value.Reveal(o.Data["value"]); wanted && got != policies {
			t.Errorf("%s has %q, want %q", o.ID, got, policies)
		}
		delete(want, string(o.ID))
	}
	if len(want) > 0 {
		t.Errorf("not made: %v", want)
	}
	if _, err := seed.Load([]string{write(t, "s.yaml", "auth: [{type: github, map: {teams: {dev: [{a: b}]}}}]\n")}); err == nil || !strings.Contains(err.Error(), `the policies of "dev" in map must be texts`) {
		t.Errorf("a mapping among policies: %v", err)
	}
}
