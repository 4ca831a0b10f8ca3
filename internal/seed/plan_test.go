package seed_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

var update = flag.Bool("update", false, "write the golden files")

var key = secret.New("key of the hashes")

// example returns the objects of the example seed.
func example(t *testing.T) []object.Object {
	t.Helper()
	return desired(t, "testdata/example.yaml", env(map[string]string{"ALICE_PASSWORD": "correct horse"}))
}

func plan(t *testing.T, api reconcile.API, objects []object.Object, memory reconcile.Memory) *reconcile.Plan {
	t.Helper()
	p, err := reconcile.NewPlan(t.Context(), api, reconcile.Goal{Objects: objects, Memory: memory, Parallelism: 4})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// golden compares text with a file in testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		put(t, path, text)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s differs (go test -update rewrites it); got:\n%s", path, text)
	}
}

func TestPrintNewVault(t *testing.T) {
	var b strings.Builder
	if err := plan(t, &world{}, example(t), reconcile.Memory{HashKey: key}).Print(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan-new.txt", b.String())
	if strings.Contains(b.String(), "correct horse") {
		t.Error("the plan shows the password")
	}
}

// drifted is a Vault in which much was changed by hand.
func drifted() *world {
	n := func(s string) json.Number { return json.Number(s) }
	return &world{data: map[string]map[string]any{
		"sys/audit": {"file/": map[string]any{"type": "file", "description": "every request, values hashed", "options": map[string]any{"file_path": "/vault/audit/audit.log", "mode": "0600"}}},
		"sys/auth": {
			"token/":      map[string]any{"type": "token"},
			"kubernetes/": map[string]any{"type": "kubernetes", "description": "by hand", "config": map[string]any{"default_lease_ttl": n("3600"), "max_lease_ttl": n("0")}},
			"ci/":         map[string]any{"type": "approle", "config": map[string]any{}},
			"userpass/":   map[string]any{"type": "userpass", "config": map[string]any{"listing_visibility": "unauth"}},
		},
		"sys/mounts": {
			"kv/": map[string]any{"type": "kv", "description": "secrets of our applications", "options": nil, "config": map[string]any{"max_lease_ttl": n("2592000")}},
		},
		"sys/policies/acl/app":      {"name": "app", "policy": "path \"kv/data/app/*\" {\n  capabilities = [\"read\", \"\u001b[31mlist\"]\n}"},
		"auth/kubernetes/config":    {"kubernetes_host": "https://kubernetes.default.svc", "disable_local_ca_jwt": true, "issuer": "not ours"},
		"auth/kubernetes/role/app":  {"bound_service_account_names": []any{"app"}, "bound_service_account_namespaces": []any{"staging", "default"}, "audience": "vault", "token_policies": []any{"app", "admin"}, "token_ttl": n("1200")},
		"auth/userpass/users/alice": {"token_policies": []any{"app", "ci"}},
	}}
}

func TestPrintDrift(t *testing.T) {
	var b strings.Builder
	if err := plan(t, drifted(), example(t), reconcile.Memory{HashKey: key}).Print(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan-drift.txt", b.String())
}

func TestPlanReadsLittle(t *testing.T) {
	w := &world{}
	plan(t, w, example(t), reconcile.Memory{})
	// Four listings, two policies, and whether audit devices are taken by API: nothing below mounts
	// that are not there.
	if len(w.reads) != 7 {
		t.Errorf("%d reads: %v", len(w.reads), w.reads)
	}
}

func TestPlanRefuses(t *testing.T) {
	mounts := func(entry map[string]any) *world {
		return &world{data: map[string]map[string]any{"sys/mounts": {"x/": entry}, "sys/auth": {"x/": entry}, "sys/audit": {"x/": entry}}}
	}
	v2 := map[string]any{"type": "kv", "options": map[string]any{"version": "2"}}
	for _, test := range []struct {
		name   string
		object object.Object
		entry  map[string]any
		want   string
		remedy string
	}{
		{"type of an engine", object.SecretsMount("x", "transit", nil), v2, `type is "kv", the seed wants "transit"; Vault cannot change the type of a mount`, "vault secrets disable x"},
		{"type of a method", object.AuthMount("x", "approle", nil), map[string]any{"type": "userpass"}, `type is "userpass", the seed wants "approle"`, "vault auth disable x"},
		{"kv 2 to 1", object.SecretsMount("x", "kv-v1", nil), v2, `options.version is "2", the seed wants "1"; Vault cannot downgrade a kv mount`, "copy what it should hold"},
		{"local", object.SecretsMount("x", "kv", map[string]any{"local": true}), map[string]any{"type": "kv", "local": false}, "local is false, the seed wants true; Vault accepts it only when the mount is created", "vault secrets disable x"},
		{"audit option", object.AuditDevice("x", "file", map[string]any{"options": map[string]any{"file_path": "/b"}}), map[string]any{"type": "file", "options": map[string]any{"file_path": "/a"}}, `options.file_path is "/a", the seed wants "/b"; Vault cannot change an audit device in place`, "vault audit disable x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := mounts(test.entry)
			p, err := reconcile.NewPlan(t.Context(), w, reconcile.Goal{Objects: []object.Object{test.object}, Memory: reconcile.Memory{}, Parallelism: 1})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(fault.RemedyOf(err), test.remedy) || fault.KindOf(err) != fault.Terminal {
				t.Fatalf("got %v\n%s", err, fault.RemedyOf(err))
			}
			if p.Empty() {
				t.Error("a plan with a refusal is not empty")
			}
			if _, err := reconcile.Apply(t.Context(), w, p, reconcile.Options{}); err == nil || len(w.writes) > 0 {
				t.Errorf("applied all the same: %v, %v", err, w.writes)
			}
		})
	}
}

func TestPlanUpgradesKV(t *testing.T) {
	w := &world{data: map[string]map[string]any{"sys/mounts": {"x/": map[string]any{"type": "kv", "options": map[string]any{"version": "1"}}}}}
	p := plan(t, w, []object.Object{object.SecretsMount("x", "kv-v2", nil)}, reconcile.Memory{})
	if _, err := reconcile.Apply(t.Context(), w, p, reconcile.Options{}); err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(w.bodies["sys/mounts/x/tune"]); string(got) != `{"options":{"version":"2"}}` {
		t.Errorf("tuned with %s (%v)", got, w.writes)
	}
}

// TestPlanKeepsWhatIsSpeltOtherwise prunes after the seed has changed the letter case of
// names: what Vault takes for the same stays, also under the name in the ledger.
func TestPlanKeepsWhatIsSpeltOtherwise(t *testing.T) {
	objects := desired(t, write(t, "s.yaml", `
auth:
  - {type: approle, roles: [{name: r}]}
  - {type: jwt, roles: [{name: r}]}
entities: [{name: e}]
groups: [{name: g, members: [E]}]
entity-aliases: [{name: n, mountpath: jwt, entity: e}, {name: n, mountpath: approle, entity: e}]
`), seed.Resolver{})
	w := &world{data: map[string]map[string]any{
		"sys/auth":               {"approle/": map[string]any{"type": "approle"}, "jwt/": map[string]any{"type": "jwt"}},
		"auth/approle/role/R":    {"a": "b"},
		"auth/approle/role/S":    {"a": "b"},
		"auth/jwt/role/R":        {"a": "b"},
		"identity/entity/name/E": {"id": "1"},
	}}
	owned := []object.ID{"auth/approle/role/R", "auth/approle/role/S", "auth/jwt/role/R", "identity/entity/name/E", "identity/entity-alias/E/N/jwt", "identity/entity-alias/E/N/other"}
	p, err := reconcile.NewPlan(t.Context(), w, reconcile.Goal{Objects: objects, Prune: object.Prune{Owned: true}, Owned: owned, Parallelism: 1})
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for _, c := range p.Changes {
		if c.Action == reconcile.Delete {
			gone = append(gone, string(c.Object.ID))
		}
	}
	if got := strings.Join(gone, " "); got != "auth/approle/role/S auth/jwt/role/R" {
		t.Errorf("deletes %s", got)
	}
	if !slices.Equal(p.Forget, []object.ID{"identity/entity-alias/E/N/other"}) {
		t.Errorf("forgets %s", p.Forget)
	}
}

// TestPlanPrunesNamesLikePaths prunes policies and groups whose names look like what
// Vault has elsewhere.
func TestPlanPrunesNamesLikePaths(t *testing.T) {
	owned := []object.ID{"auth/ldap/groups/sys/auth/x", "ns/sys/auth/x", "sys/policies/acl/identity/entity-alias/a/b/c", "sys/policies/acl/sys/mounts/x"}
	w := &world{data: map[string]map[string]any{}}
	for _, id := range owned {
		w.data[string(id)] = map[string]any{"a": "b"}
	}
	w.data["ns/sys/auth"] = map[string]any{"x/": map[string]any{}}
	p, err := reconcile.NewPlan(t.Context(), w, reconcile.Goal{Prune: object.Prune{Owned: true}, Owned: owned, Parallelism: 1})
	if err != nil {
		t.Fatal(err)
	}
	if p.Count(reconcile.Delete) != 3 || len(p.Left) != 1 || p.Left[0].ID != "ns/sys/auth/x" {
		t.Errorf("%s, leaves %v", p.Summary(), p.Left)
	}
}

// TestPlanNeedsThePasswordPolicy generates with a password policy that is there, is
// declared, or is neither.
func TestPlanNeedsThePasswordPolicy(t *testing.T) {
	const value = "secrets: [{type: kv-v1, path: kv}]\nsecretsOnce: [{path: kv/a, data: {inner: {password: {generate: {policy: strong}}}}}]\n"
	const declared = "password-policies: [{name: strong, rules: 'length = 20 rule \"charset\" { charset = \"abc\" }'}]\n"
	mounts := map[string]any{"kv/": map[string]any{"type": "kv", "options": map[string]any{"version": "1"}}}
	for _, test := range []struct {
		name, text, there string
		refused           bool
	}{
		{"nowhere", value, "", true},
		{"in another letter case", value, "sys/policies/password/Strong", true},
		{"there", value, "sys/policies/password/strong", false},
		{"declared", value + declared, "", false},
		{"not needed", value, "kv/a", false},
	} {
		w := &world{data: map[string]map[string]any{"sys/mounts": mounts, test.there: {"a": "b"}}}
		_, err := reconcile.NewPlan(t.Context(), w, reconcile.Goal{Objects: desired(t, write(t, "s.yaml", test.text), seed.Resolver{}), Parallelism: 1})
		if (err != nil) != test.refused {
			t.Errorf("%s: got %v", test.name, err)
		}
		const want = `s.yaml:2:15: kv/a is generated with the password policy "strong", which is neither declared nor there`
		if test.refused && (fault.KindOf(err) != fault.Seed || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %s", test.name, err, want)
		}
	}
}

// TestPlanTakesPoliciesFormatted plans on a Vault that bank-vaults keeps: it writes
// policies as its printer formats them.
func TestPlanTakesPoliciesFormatted(t *testing.T) {
	const declared = "path \"kv/data/app\" { capabilities=[ \"read\",\"list\" ] }\n# the rest\npath \"kv/*\" {\n    capabilities = [\"deny\"]\n}\n"
	const formatted = "path \"kv/data/app\" {\n  capabilities = [\"read\", \"list\"]\n}\n\n# the rest\npath \"kv/*\" {\n  capabilities = [\"deny\"]\n}"
	for _, test := range []struct {
		name, declared, shown string
		same                  bool
	}{
		{"formatted there", declared, formatted, true},
		{"formatted here", formatted, declared, true},
		{"formatted otherwise in both", declared, strings.ReplaceAll(declared, "=", "   =   "), true},
		{"another capability", declared, strings.Replace(formatted, "list", "sudo", 1), false},
		{"another comment", declared, strings.Replace(formatted, "rest", "past", 1), false},
		{"another order", declared, strings.Replace(formatted, `"read", "list"`, `"list", "read"`, 1), false},
		{"JSON there", declared, `{"path": {"kv/*": {"capabilities": ["deny"]}}}`, false},
		{"no policy there", declared, `path "x" {`, false},
		{"brackets without an end there", declared, strings.Repeat("[", 100_000), false},
	} {
		w := &world{data: map[string]map[string]any{"sys/policies/acl/app": {"name": "app", "policy": test.shown}}}
		if p := plan(t, w, []object.Object{object.Policy("app", test.declared)}, reconcile.Memory{}); p.Empty() != test.same {
			t.Errorf("%s: %s", test.name, p.Summary())
		}
	}
}

func TestPlanNeedsTheMount(t *testing.T) {
	_, err := reconcile.NewPlan(t.Context(), &world{}, reconcile.Goal{Objects: []object.Object{object.Role("nowhere", "approle", "r", nil)}, Memory: reconcile.Memory{}, Parallelism: 1})
	if err == nil || fault.KindOf(err) != fault.Seed || !strings.Contains(err.Error(), "auth/nowhere/role/r needs sys/auth/nowhere, which is neither declared nor there") {
		t.Errorf("got %v", err)
	}
}

func TestPlanReportsReadErrors(t *testing.T) {
	for path, want := range map[string]string{
		"sys/auth":             "reading sys/auth: permission denied",
		"sys/policies/acl/app": "reading sys/policies/acl/app (testdata/example.yaml:11:5): permission denied",
	} {
		w := &world{fail: map[string]error{"read " + path: refusal{403, "permission denied"}}}
		_, err := reconcile.NewPlan(t.Context(), w, reconcile.Goal{Objects: example(t), Memory: reconcile.Memory{}, Parallelism: 4})
		var answered httpstatus.Error
		if err == nil || err.Error() != want || !errors.As(err, &answered) || answered.HTTPStatus() != 403 {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestCombine(t *testing.T) {
	own := []object.Object{
		object.Policy("vault-bootstrap", "x"),
		object.AuthMount("kubernetes", "kubernetes", nil),
		object.Role("kubernetes", "kubernetes", "vault-bootstrap", nil),
	}
	declared := example(t)
	got, err := seed.Combine(own, declared)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(declared)+2 {
		t.Errorf("%d objects of %d and %d: the seed's own mount must win", len(got), len(declared), len(own))
	}
	for name, bad := range map[string]object.Object{
		"sys/policies/acl/vault-bootstrap is what this program itself logs in with":     object.Policy("Vault-Bootstrap", "mine"),
		"auth/kubernetes/role/Vault-Bootstrap is what this program itself logs in with": object.Role("kubernetes", "kubernetes", "Vault-Bootstrap", nil),
		`is of type "jwt" here, but this program's own login needs "kubernetes"`:        object.AuthMount("kubernetes", "jwt", nil),
		"sys/auth/kubernetes/b lies below sys/auth/kubernetes":                          object.AuthMount("kubernetes/b", "jwt", nil),
	} {
		if _, err := seed.Combine(own, []object.Object{bad}); err == nil || !strings.Contains(err.Error(), name) || fault.KindOf(err) != fault.Seed {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
