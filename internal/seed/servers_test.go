package seed_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// warningsOf returns the warnings about a seed, one a line.
func warningsOf(t *testing.T, paths ...string) string {
	t.Helper()
	s, err := seed.Load(paths)
	if err != nil {
		t.Fatalf("%v: %v", paths, err)
	}
	var all strings.Builder
	for _, w := range s.Warnings() {
		all.WriteString(w.String() + "\n")
	}
	return all.String()
}

// TestCookbookHasNoWarnings holds what people copy to what validate says.
func TestCookbookHasNoWarnings(t *testing.T) {
	files, err := filepath.Glob("../../docs/cookbook/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		if got := warningsOf(t, file); got != "" {
			t.Errorf("%s", got)
		}
	}
}

func TestRoleWithoutAudience(t *testing.T) {
	const text = `
auth:
  - type: kubernetes
    path: cluster
    roles:
      - {name: any, bound_service_account_names: [a], bound_service_account_namespaces: [b]}
      - {name: empty, audience: "", bound_service_account_names: [a], bound_service_account_namespaces: [b]}
      - {name: one, audience: vault, bound_service_account_names: [a], bound_service_account_namespaces: [b]}
      - {name: known later, audience: '${ env "AUDIENCE" }', bound_service_account_names: [a], bound_service_account_namespaces: [b]}
  - type: approle
    roles: [{name: any}]
`
	got := warningsOf(t, write(t, "s.yaml", text))
	for _, want := range []string{"s.yaml:6:9: auth/cluster/role/any has no audience", "s.yaml:7:9: auth/cluster/role/empty has no audience"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Count(got, "\n") != 2 {
		t.Errorf("the warnings are\n%s", got)
	}
}

// TestAttributeSetTwice refuses what Vault refuses since 2.1.
func TestAttributeSetTwice(t *testing.T) {
	for _, rules := range []string{
		"path \"x\" {\n  capabilities = [\"read\"]\n  capabilities = [\"list\"]\n}",
		"path \"x\" {\n  capabilities = [\"read\"]\n  allowed_parameters = {\n    \"a\" = []\n    \"a\" = [1]\n  }\n}",
	} {
		_, err := seed.Load([]string{write(t, "s.yaml", "policies:\n  - name: p\n    rules: |\n      "+strings.ReplaceAll(rules, "\n", "\n      ")+"\n")})
		if fault.KindOf(err) != fault.Seed || !strings.Contains(err.Error(), "s.yaml:2:5: sys/policies/acl/p") || !strings.Contains(err.Error(), "line 3 of it") && !strings.Contains(err.Error(), "line 5 of it") || !strings.Contains(err.Error(), "set twice in one block") {
			t.Errorf("%s: %v", rules, err)
		}
	}
}

// TestTemplateValues warns about values that servers do not put into a path.
func TestTemplateValues(t *testing.T) {
	const text = `
policies:
  - name: own
    rules: |
      path "kv/data/{{identity.entity.name}}/{{ identity.entity.metadata.team }}" { capabilities = ["read"] }
      path "kv/data/{{identity.groups.names.ops.metadata.area}}/{{identity.entity.aliases.auth_userpass_1.name}}" { capabilities = ["read"] }
auth: [{type: userpass}]
entities:
  - {name: "ada+bo", metadata: {team: "a*", unused: "*"}}
  - {name: carl/office, metadata: {team: plain}}
  - {name: plain}
groups:
  - {name: ops, metadata: {area: "+", other: "+"}}
  - {name: other, metadata: {area: "+"}}
entity-aliases:
  - {name: "star*", mountpath: userpass, entity: plain}
namespaces:
  - path: team
    entities: [{name: "no+policy"}]
`
	got := warningsOf(t, write(t, "s.yaml", text))
	for _, want := range []string{
		`s.yaml:9:5: identity/entity/name/ada+bo: sys/policies/acl/own puts its value "ada+bo" into a path, as {{identity.entity.name}}: Vault 1.21.6`,
		`identity/entity/name/ada+bo: sys/policies/acl/own puts its value "a*" into a path, as {{identity.entity.metadata.team}}`,
		`identity/entity/name/carl/office: sys/policies/acl/own puts its value "carl/office" into a path, as {{identity.entity.name}}: OpenBao 2.6`,
		`identity/group/name/ops: sys/policies/acl/own puts its value "+" into a path, as {{identity.groups.names.ops.metadata.area}}`,
		`puts its value "star*" into a path, as {{identity.entity.aliases.auth_userpass_1.name}}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Count(got, "\n") != 5 {
		t.Errorf("the warnings are\n%s", got)
	}
}

// TestBuiltinPolicy keeps the policies that a newer server makes itself, whatever an older one was
// given by their names.
func TestBuiltinPolicy(t *testing.T) {
	if got := warningsOf(t, write(t, "s.yaml", "policies: [{name: default-ceiling, rules: 'path \"x\" {}'}]")); !strings.Contains(got, "Vault 2.0 and later") {
		t.Errorf("the warnings are %q", got)
	}
	for _, id := range []object.ID{"sys/policies/acl/default-ceiling", "team/sys/policies/acl/default-ceiling"} {
		w := &world{data: map[string]map[string]any{string(id): {"policy": "path \"x\" {}"}, "sys/policies/acl/own": {"policy": "x"}}}
		p, err := reconcile.NewPlan(t.Context(), w, reconcile.Goal{Prune: object.Prune{Owned: true}, Owned: []object.ID{id, "sys/policies/acl/own"}, Parallelism: 1})
		if err != nil || p.Count(reconcile.Delete) != 1 || len(p.Left) != 1 || p.Left[0].ID != id {
			t.Errorf("%s: %v, %+v", id, err, p)
		}
	}
}

// TestPathsThatServersRefuse refuses, when the seed is read, the paths that servers do not take: with
// //, . or .. in them, and writes to one that ends with a slash.
func TestPathsThatServersRefuse(t *testing.T) {
	places := map[string]string{
		"audit":         "audit: [{type: file, path: %s}]",
		"auth":          "auth: [{type: approle, path: %s}]",
		"engine":        "secrets: [{type: kv, path: %s}]",
		"namespace":     "namespaces: [{path: %s}]",
		"request":       "requests: [{name: n, path: %s}]",
		"condition":     "requests: [{name: n, path: a, unless: {path: %s}}]",
		"answer":        "secrets: [{type: kv, path: a}]\nrequests: [{name: n, path: b, save_to: %s}]",
		"value":         "secrets: [{type: kv, path: a}]\nsecretsOnce: [{path: %s, data: {k: v}}]",
		"startup value": "secrets: [{type: kv, path: a}]\nstartupSecrets: [{type: kv, path: %s, data: {data: {k: v}}}]",
		"child":         "secrets: [{type: pki, configuration: {%s: [{name: n}]}}]",
		"child's name":  "secrets: [{type: pki, configuration: {roles: [{name: %s}]}}]",
		"config":        "auth: [{type: aws, config/%s: {x: y}}]",
		"role":          "auth: [{type: approle, roles: [{name: %s}]}]",
		"policy":        "policies: [{name: %s, rules: 'path \"x\" {}'}]",
		"entity":        "entities: [{name: %s}]",
		"tombstone":     "tombstones: [{secrets: %s, destroy: true}]",
	}
	for place, text := range places {
		for _, path := range []string{"a//b", "a/./b", "a/../b", "..", "a/.."} {
			_, err := seed.Load([]string{write(t, "s.yaml", strings.Replace(text, "%s", path, 1))})
			if fault.KindOf(err) != fault.Seed || !strings.Contains(err.Error(), "cannot be used") {
				t.Errorf("%s at %q: %v", place, path, err)
			}
		}
	}
	for _, place := range []string{"request", "answer", "value", "startup value"} {
		_, err := seed.Load([]string{write(t, "s.yaml", strings.Replace(places[place], "%s", "a/b/", 1))})
		if fault.KindOf(err) != fault.Seed || !strings.Contains(err.Error(), "ends with a slash") {
			t.Errorf("%s with a slash at its end: %v", place, err)
		}
	}
	for _, path := range []string{"kv//a", "kv/./a", "../a", "kv/a/.."} {
		got := warningsOf(t, write(t, "s.yaml", "policies: [{name: p, rules: 'path \""+path+"\" {}'}]"))
		if !strings.Contains(got, "can never match: Vault takes no request") {
			t.Errorf("a policy about %q: %q", path, got)
		}
	}
	for _, path := range []string{"kv/", "kv/.well-known/*", "/kv/a", "kv/+/"} {
		if got := warningsOf(t, write(t, "s.yaml", "policies: [{name: p, rules: 'path \""+path+"\" {}'}]")); got != "" {
			t.Errorf("a policy about %q: %q", path, got)
		}
	}
}
