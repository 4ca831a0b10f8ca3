package e2e

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// TestOwnLoginListsRoles has our own login list roles beside the rule that lets it read them:
// OpenBao takes that rule for the closer match unless the other one ends in a slash.
func TestOwnLoginListsRoles(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, "auth:\n  - {type: approle, path: ci, roles: [{name: builder, token_ttl: 20m}]}\n")
	p, _ := inFiles(t, anyServer(t), "--seed="+seed, "--login=approle")
	p.must(0, "run")
	r := p.run("verify", "--seed="+seed, "--login=approle", "-o", "json")
	var report struct {
		Controls []struct{ ID, Status, Seen string }
	}
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	judged := 0
	for _, control := range report.Controls {
		if control.ID == "role-bindings" {
			judged++
			if control.Status == "unknown" {
				t.Errorf("%s is unknown: %s", control.ID, control.Seen)
			}
		}
	}
	if judged == 0 {
		t.Errorf("no control that judges roles is in the report:\n%s", r.Stdout)
	}
}
