package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestGivesUpEqualAnswers declares what only Vault knows that it refuses: a role whose tokens live
// longer than they may (400), and metadata with an umlaut (500). The run does not try until its time is up: it ends with exit code 1,
// counts what it has written in all, and names both.
func TestGivesUpEqualAnswers(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, seed, "policies: [{name: app, rules: 'path \"kv/data/app\" { capabilities = [\"read\"] }'}]\n"+
		"auth:\n  - {type: approle, path: ci, roles: [{name: refused, token_ttl: 2h, token_max_ttl: 1h}, {name: good, token_ttl: 20m}]}\n"+
		"entities: [{name: umlaut, metadata: {ü: x}}]\n")
	p, _ := inFiles(t, anyServer(t), "--seed="+seed, "--login=approle", "--timeout=10m")
	r := p.must(1, "run")
	if r.Took > time.Minute {
		t.Errorf("it took %s", r.Took)
	}
	failed := r.Log("failed")
	if len(failed) != 1 || failed[0].Text("kind") != "partial" {
		t.Fatalf("it ended with %v\n%s", failed, r)
	}
	// The mount, a role and a policy of the seed, and mount, role and both policies of our own login.
	for _, want := range []string{"7 objects written, 2 not", "creating auth/ci/role/refused", "cannot be greater than", "creating identity/entity/name/umlaut", "key contains invalid characters"} {
		if !strings.Contains(failed[0].Text("error"), want) {
			t.Errorf("it does not say %q:\n%s", want, failed[0].Text("error"))
		}
	}
	if tries := len(r.Log("waiting")) + len(r.Log("still waiting")); tries > 2 {
		t.Errorf("it was said %d times that it waits", tries)
	}
}
