package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// readerSeed lets ada read all that a plan of this seed needs, and no more.
const readerSeed = `
  - name: plan-reader
    rules: |
      path "sys/audit" {
        capabilities = ["read", "sudo"]
      }
      path "sys/auth" {
        capabilities = ["read"]
      }
      path "sys/mounts" {
        capabilities = ["read"]
      }
      path "sys/policies/acl/*" {
        capabilities = ["read"]
      }
      path "auth/userpass/users/*" {
        capabilities = ["read"]
      }
`

// TestPlan plans with the real program: before there is anything, with our own login,
// and with a token that can do nothing but read.
func TestPlan(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed, auditLog := exampleSeed(t)
	content, err := os.ReadFile(seed)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(content), "auth:\n", strings.TrimPrefix(readerSeed, "\n")+"auth:\n", 1)
	text = strings.Replace(text, "token_policies: [app]", "token_policies: [app, plan-reader]", 1)
	write(t, seed, text)
	p, _ := inFiles(t, cluster, "--seed="+seed)

	p.must(0, "run")
	if r := p.must(0, "plan", "--seed="+seed, "--detailed-exitcode"); !strings.Contains(r.Stdout, "Plan: 0 to create, 0 to update, 7 unchanged.") {
		t.Errorf("after the run: %s", r)
	}

	changed := strings.Replace(text, "kv/data/app/*", "kv/data/apps/*", 1)
	changed = strings.Replace(changed, "correct-horse-battery", "incorrect-horse-battery", 1)
	testbed.NoteSecrets(t, "incorrect-horse-battery")
	write(t, seed, changed)
	_, before := driver.AuditFor(t, auditLog, 0)
	r := p.must(3, "plan", "--seed="+seed, "--detailed-exitcode")
	for _, want := range []string{"~ sys/policies/acl/app", `- path "kv/data/app/*" {`, `+ path "kv/data/apps/*" {`, "password: (sensitive, changed)", "Plan: 0 to create, 2 to update, 5 unchanged."} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("the plan lacks %q:\n%s", want, r)
		}
	}
	p.must(0, "plan", "--seed="+seed)
	entries, _ := driver.AuditFor(t, auditLog, before)
	// 'help' asks Vault which fields it takes.
	found := slices.DeleteFunc(writes(entries), func(call string) bool { return strings.HasPrefix(call, "help ") })
	if len(entries) == 0 || len(found) > 0 {
		t.Errorf("planning wrote: %v", found)
	}

	t.Run("read-only token", func(t *testing.T) {
		var login struct {
			Auth struct {
				ClientToken string `json:"client_token"`
			}
		}
		if err := cluster.Nodes[0].Call(t.Context(), http.MethodPost, "auth/userpass/login/ada", "", map[string]string{"password": "correct-horse-battery"}, &login); err != nil {
			t.Fatal(err)
		}
		reader := &program{t: t, flags: append([]string{"--store=file:" + t.TempDir()}, driver.VaultFlags(cluster)...), env: []string{"VAULT_TOKEN=" + login.Auth.ClientToken}, keys: p.keys}
		var plan struct {
			Update  int
			Changes []struct {
				ID          string
				Action      string
				NotCompared []string `json:"not_compared"`
				Fields      []struct{ Field, Old, New string }
			}
		}
		r := reader.must(3, "plan", "--seed="+seed, "--detailed-exitcode", "-o=json")
		if err := json.Unmarshal([]byte(r.Stdout), &plan); err != nil {
			t.Fatalf("%v\n%s", err, r)
		}
		// Without the records nobody can say whether a password changed.
		if plan.Update != 1 || len(plan.Changes) != 2 {
			t.Fatalf("%+v", plan)
		}
		for _, c := range plan.Changes {
			switch c.ID {
			case "auth/userpass/users/ada":
				if c.Action != "none" || len(c.NotCompared) != 1 {
					t.Errorf("%+v", c)
				}
			case "sys/policies/acl/app":
				if c.Action != "update" || len(c.Fields) != 1 || !strings.Contains(c.Fields[0].Old, "kv/data/app/*") || !strings.Contains(c.Fields[0].New, "kv/data/apps/*") {
					t.Errorf("%+v", c)
				}
			default:
				t.Errorf("%+v", c)
			}
		}
	})
	t.Run("prune", func(t *testing.T) {
		pruned := "prune: owned\n" + strings.Replace(changed, "  - type: transit\n", "", 1)
		at := strings.Index(pruned, "  - name: plan-reader")
		pruned = pruned[:at] + pruned[strings.Index(pruned, "auth:\n"):]
		pruned = strings.Replace(pruned, "[app, plan-reader]", "[app]", 1)
		write(t, seed, pruned)
		r := p.must(3, "plan", "--seed="+seed, "--detailed-exitcode")
		if !strings.Contains(r.Stdout, "- sys/policies/acl/plan-reader  (no longer in the seed)") || !strings.Contains(r.Stdout, "sys/mounts/transit stays") {
			t.Errorf("the plan says %s", r)
		}
		if !strings.Contains(r.Stdout, "~ sys/policies/acl/vault-bootstrap-seed") {
			t.Errorf("the plan does not say what our policy gains: %s", r)
		}
		p.must(0, "run")
	})
}

// TestPlanShowsFixes has the seed fix a control: the plan tells the call that a run
// would make for it, and the run makes it.
func TestPlanShowsFixes(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	node := cluster.Nodes[0]
	seed := seeded(t, "harden:\n  profile: baseline\n  advise: [audit-device]\n  fix: [cors]\n")
	p, _ := inFiles(t, cluster, seed)
	p.must(0, "run")
	if r := p.must(0, "plan", seed, "--detailed-exitcode"); strings.Contains(r.Stdout, "control") {
		t.Errorf("nothing is to be fixed: %s", r)
	}
	root := rootOf(t, p, node)
	if err := node.Call(t.Context(), http.MethodPost, "sys/config/cors", root, map[string]any{"allowed_origins": "*"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := node.Call(t.Context(), http.MethodPost, "auth/token/revoke-self", root, nil, nil); err != nil {
		t.Fatal(err)
	}
	r := p.must(3, "plan", seed, "--detailed-exitcode")
	if !strings.Contains(r.Stdout, "~ control cors: ") || !strings.Contains(r.Stdout, "delete sys/config/cors") || !strings.Contains(r.Stdout, ", 1 to fix.") {
		t.Errorf("the plan does not show the fix: %s", r)
	}
	var shown struct {
		Empty bool
		Fixes []struct{ Control, Call string }
	}
	if err := json.Unmarshal([]byte(p.must(0, "plan", seed, "-o=json").Stdout), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.Empty || len(shown.Fixes) != 1 || shown.Fixes[0].Control != "cors" || shown.Fixes[0].Call == "" {
		t.Errorf("for machines it is %+v", shown)
	}
	p.must(0, "run")
	if r := p.must(0, "plan", seed, "--detailed-exitcode"); strings.Contains(r.Stdout, "control") {
		t.Errorf("it is fixed: %s", r)
	}
}
