package seed_test

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/test/fitting"
)

// TestReferencesWithinAStage applies, on a Vault that has nothing yet, what refers to
// objects of its own stage, in the order that is worst by name.
func TestReferencesWithinAStage(t *testing.T) {
	b := start(t)
	objects := b.inline(t, fitting.Seed(t, `
auth:
  - {type: userpass, path: zz}
secrets:
  - {type: kv, path: aa, options: {version: 1}, config: {max_lease_ttl: 1h, delegated_auth_accessors: ['${ accessor "zz" }']}}
secretsOnce:
  - {path: aa/1, data: {copy: '${ vault "aa/2" "copy" }'}}
  - {path: aa/2, data: {copy: '${ vault "aa/3" "made" }'}}
  - {path: aa/3, data: {made: {generate: {length: 12}}}}
`))
	b.apply(t, objects)
	made, copied := b.call(t, "GET", "aa/3", nil)["made"], b.call(t, "GET", "aa/1", nil)["copy"]
	if text, _ := made.(string); len(text) != 12 || copied != made {
		t.Error("the copy of the copy is not what was made")
	}
	accessor := dig(b.call(t, "GET", "sys/auth", nil), "zz/ > accessor")
	delegated := "aa/ > config > delegated_auth_accessors"
	if got := toJSON(t, dig(b.call(t, "GET", "sys/mounts", nil), delegated)); fitting.Field(t, "sys/mounts", delegated) && got != toJSON(t, []any{accessor}) {
		t.Errorf("delegated to %s, want %v", got, accessor)
	}
	wantEmpty(t, b.plan(t, objects))
}

// TestRefusedBeforeTheFirstWrite asks a real Vault for what shows only beside what it
// holds: nothing is written, also not what has no fault.
func TestRefusedBeforeTheFirstWrite(t *testing.T) {
	b := start(t)
	b.call(t, "PUT", "sys/mounts/team", m{"type": "kv"})
	b.call(t, "PUT", "sys/mounts/deep/er/kv", m{"type": "kv"})
	b.call(t, "PUT", "sys/auth/people", m{"type": "userpass"})
	for name, test := range map[string]struct{ text, want string }{
		"engine below one that is there": {"secrets: [{type: kv, path: team/kv}]\n", "seed.yaml:1:11: sys/mounts/team/kv lies below sys/mounts/team, which is there"},
		"engine above one that is there": {"secrets: [{type: kv, path: deep}]\n", "seed.yaml:1:11: sys/mounts/deep lies above sys/mounts/deep/er/kv, which is there"},
		"method below one that is there": {"auth: [{type: approle, path: people/ci}]\n", "seed.yaml:1:8: sys/auth/people/ci lies below sys/auth/people, which is there"},
		"device below one that is there": {"audit: [{type: file, path: " + probe + "/b, options: {file_path: /tmp/x}}]\n", "sys/audit/" + probe + "/b lies below sys/audit/" + probe},
		"value that is made later": {
			"secrets: [{type: kv, options: {version: 1}, description: '${ vault \"kv/a\" \"b\" }'}]\nsecretsOnce: [{path: kv/a, data: {b: c}}]\n",
			`seed.yaml:1:58: vault "kv/a" "b" is not there, and kv/a (stage values) is not created before sys/mounts/kv (stage mounts), which refers to it`,
		},
		"mount that nobody declares": {"secretsOnce: [{path: kv/a, data: {b: '${ accessor \"nowhere\" }'}}]\nsecrets: [{type: kv, options: {version: 1}}]\n", `seed.yaml:1:38: accessor "nowhere" is neither declared nor there`},
	} {
		writes := b.writes(t, func() {
			objects := b.inline(t, test.text+"policies: [{name: faultless, rules: 'path \"x\" {}'}]\n")
			_, err := reconcile.NewPlan(t.Context(), b.as(t, b.root), reconcile.Goal{Objects: objects, Memory: b.memory, Parallelism: 16})
			if err == nil || !strings.Contains(err.Error(), test.want) || fault.KindOf(err) != fault.Seed || fault.RemedyOf(err) == "" {
				t.Errorf("%s: got %v", name, err)
			}
		})
		if len(writes) > 0 {
			t.Errorf("%s: wrote %v", name, writes)
		}
	}
}
