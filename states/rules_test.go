package states

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
)

// seedOf reads a seed from a file seed.yaml.
func seedOf(t *testing.T, text string) *seed.Seed {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("seed.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := seed.Load([]string{filepath.Join(".", "seed.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func TestRulesOf(t *testing.T) {
	if rules, err := RulesOf(seedOf(t, "policies: []\n")); err != nil || rules.Profile != harden.Base {
		t.Errorf("without a section: %v, %v", rules.Profile, err)
	}
	if rules, err := RulesOf(seedOf(t, "harden: {profile: strict}\n")); err != nil || rules.Profile != harden.Strict {
		t.Errorf("strict: %v, %v", rules.Profile, err)
	}
	if _, err := RulesOf(seedOf(t, "harden: {require: [no such control]}\n")); fault.KindOf(err) != fault.Seed {
		t.Errorf("an unknown control: %v", err)
	}
}

// declared has, for every control that judges what a seed can declare, an object that fails it, and
// how the control names it.
const declared = `
audit:
  - {type: file, path: readable, options: {file_path: /log, log_raw: true}}
  - {type: file, path: hashed, options: {file_path: /log2, log_raw: false}}
auth:
  - type: userpass
    options: {listing_visibility: unauth, default_lease_ttl: 9000h, user_lockout_config: {lockout_disable: true}}
  - type: kubernetes
    roles:
      - {name: All, bound_service_account_names: "*", bound_service_account_namespaces: ["*"]}
  - type: jwt
    roles:
      - {name: forgotten, bound_audiences: [x], user_claim: sub}
secrets:
  - {type: kv, path: kv, config: {max_lease_ttl: 100d, default_lease_ttl: 1h}}
  - {type: kv, path: well, config: {max_lease_ttl: 2h, default_lease_ttl: 1h}}
policies:
  - {name: wide, rules: 'path "*" { capabilities = ["read", "sudo"] }'}
  - {name: tame, rules: 'path "kv/*" { capabilities = ["read"] }'}
  - {name: default, rules: 'path "kv/*" { capabilities = ["read"] }'}
password-policies:
  - {name: short, rules: "length = 8\nrule \"charset\" {\n  charset = \"abcdefgh\"\n}"}
cors: {allowed_origins: "*"}
ui-headers: {X-Frame-Options: ALLOW}
namespaces:
  - path: team
    secrets:
      - {type: kv, path: kv, config: {max_lease_ttl: 100d}}
`

// TestContradictions holds that what the section harden demands and the seed declares otherwise is
// refused with the places of both, unless an exception accepts it.
func TestContradictions(t *testing.T) {
	for _, test := range []struct {
		harden string
		says   []string // empty if it is no contradiction
	}{
		{"profile: strict", nil},
		{"fix: [all]", nil},
		{"profile: production\n  fix: [log-level]", nil},
		{"require: [mount-lease-ttl]", []string{"seed.yaml:30:3: harden.require", "auth/userpass at seed.yaml:6:5", "kv at seed.yaml:15:5", "team/kv at seed.yaml:28:9"}},
		{"fix: [listed-mounts]", []string{"seed.yaml:30:3: harden.fix", "auth/userpass at seed.yaml:6:5"}},
		{"fix: [user-lockout]", []string{"harden.fix", `"user-lockout"`, "userpass at seed.yaml:6:5"}},
		{"limits: {lease-ttl: 24h}", []string{"harden.limits has lease-ttl: 24h", "kv at seed.yaml:15:5"}},
		{"limits: {password-length: 12}", []string{"harden.limits", "short at seed.yaml:22:5"}},
		{"limits: {lease-ttl: 10000h}", nil},
		{"require: [audit-raw]", []string{"readable at seed.yaml:3:5"}},
		{"require: [cors]", []string{"harden.require", "the contrary: what is at seed.yaml:23:1"}},
		{"require: [ui-headers]", []string{"X-Frame-Options at seed.yaml:24:1"}},
		{"require: [wildcard-policies]", []string{"wide at seed.yaml:18:5"}},
		{"require: [sudo-policies]", []string{"wide at seed.yaml:18:5"}},
		{"require: [default-policy]", []string{"kv/* at seed.yaml:20:5"}},
		{"require: [role-bindings]", []string{"kubernetes/role/all at seed.yaml:10:9"}},
		{"require: [audit-raw]\n  exceptions: [{control: audit-raw, object: readable, reason: r, expires: 2030-01-01}]", nil},
		{"exceptions: [{control: audit-raw, object: hashed, reason: r, expires: 2030-01-01}]", []string{`seed.yaml:30:16: the exception for "audit-raw" accepts nothing`, `"hashed" at seed.yaml:4:5`}},
		{"exceptions: [{control: wildcard-policies, object: tame, reason: r, expires: 2030-01-01}]", []string{`"tame" at seed.yaml:19:5`}},
		{"exceptions: [{control: mount-lease-ttl, object: well, reason: r, expires: 2030-01-01}]", []string{`"well" at seed.yaml:16:5`}},
		{"exceptions: [{control: cors, object: everybody, reason: r, expires: 2030-01-01}]", []string{"names no objects"}},
		{"exceptions: [{control: wildcard-policies, object: of-others, reason: r, expires: 2030-01-01}]", nil},
		{"exceptions: [{control: listed-mounts, object: kv, reason: a setting that the seed leaves open, expires: 2030-01-01}]", nil},
	} {
		_, err := RulesOf(seedOf(t, declared+"harden:\n  "+test.harden+"\n"))
		if len(test.says) == 0 {
			if err != nil {
				t.Errorf("%s: %v", test.harden, err)
			}
			continue
		}
		if fault.KindOf(err) != fault.Seed || fault.RemedyOf(err) == "" {
			t.Errorf("%s: %v", test.harden, err)
			continue
		}
		for _, part := range test.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error lacks %q:\n%v", test.harden, part, err)
			}
		}
		if strings.Contains(err.Error(), "forgotten") {
			t.Errorf("%s: a binding that is missing is no declaration: %v", test.harden, err)
		}
	}
}

// TestStrictWarns holds that 'strict' warns of each declared object that it does not accept.
func TestStrictWarns(t *testing.T) {
	rules, err := RulesOf(seedOf(t, declared+"harden:\n  profile: strict\n  exceptions: [{control: cors, reason: r, expires: 2030-01-01}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`seed.yaml:3:5: the control "audit-raw" fails on "readable"`, `seed.yaml:18:5: the control "wildcard-policies" fails on "wide"`,
		`seed.yaml:10:9: the control "role-bindings" fails on "kubernetes/role/all"`, `seed.yaml:6:5: the control "user-lockout" fails on "userpass"`,
	} {
		if !slices.ContainsFunc(rules.Warnings, func(w string) bool { return strings.HasPrefix(w, part) }) {
			t.Errorf("the warnings lack %q: %q", part, rules.Warnings)
		}
	}
	if len(rules.Warnings) != 4 {
		t.Errorf("got %q", rules.Warnings)
	}
	if rules, err := RulesOf(seedOf(t, declared+"harden: {profile: production}\n")); err != nil || len(rules.Warnings) > 0 {
		t.Errorf("production warns: %q, %v", rules.Warnings, err)
	}
}

// TestShownAsDeclared holds that an object counts as declared only if Vault shows all of it so.
func TestShownAsDeclared(t *testing.T) {
	rules, err := RulesOf(seedOf(t, declared+"requests:\n  - {name: rotation, path: sys/rotate/config, data: {interval: 20000h}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	type m = map[string]any
	for _, test := range []struct {
		path  string
		shown m
		same  bool
	}{
		{"sys/mounts/kv", m{"type": "kv", "config": m{"max_lease_ttl": json.Number("8640000"), "default_lease_ttl": json.Number("3600")}}, true},
		{"sys/mounts/kv", m{"type": "kv", "config": m{"max_lease_ttl": json.Number("8640000"), "default_lease_ttl": json.Number("7200")}}, false},
		{"team/sys/mounts/kv", m{"type": "kv", "config": m{"max_lease_ttl": json.Number("8640000")}}, true},
		{"sys/policies/acl/wide", m{"policy": `path "*" { capabilities = ["read", "sudo"] }`}, true},
		{"sys/policies/acl/wide", m{"policy": `path "*" { capabilities = ["read", "sudo", "update"] }`}, false},
		{"auth/kubernetes/role/all", m{"bound_service_account_names": []any{"*"}, "bound_service_account_namespaces": []any{"*"}, "token_ttl": json.Number("0")}, true},
		{"auth/kubernetes/role/all", m{"bound_service_account_names": []any{"*"}, "bound_service_account_namespaces": []any{"a"}}, false},
		{"sys/config/cors", m{"enabled": true, "allowed_origins": []any{"*"}}, true},
		{"sys/config/cors", m{"enabled": true, "allowed_origins": []any{"https://x"}}, false},
		{"sys/config/ui/headers/x-frame-options", m{"values": []any{"ALLOW"}}, true},
		{"sys/audit/readable", m{"type": "file", "options": m{"file_path": "/log", "log_raw": "true"}}, true},
		{"sys/audit/readable", m{"type": "file", "options": m{"file_path": "/elsewhere", "log_raw": "true"}}, false},
	} {
		object, there := rules.Declared.At(test.path)
		if !there || object.Same(test.shown) != test.same {
			t.Errorf("%s: declared is %v, the same as %v is not %v", test.path, there, test.shown, test.same)
		}
	}
	if _, there := rules.Declared.At("sys/rotate/config"); there || len(rules.Declared.Requests("sys/rotate/config")) != 1 {
		t.Error("a request is not an object")
	}
}

// TestReferencesAreNotKnown holds that a secret and a reference never reach the controls, and that
// the field counts as declared all the same.
func TestReferencesAreNotKnown(t *testing.T) {
	rules, err := RulesOf(seedOf(t, "secrets:\n  - {type: kv, path: kv, description: '${ env \"X\" }', config: {max_lease_ttl: 9000h}}\nauth:\n  - type: approle\n    roles: [{name: a, bind_secret_id: false, password: hidden-word}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	mount, _ := rules.Declared.At("sys/mounts/kv")
	if !mount.Has("description") || mount.Data["description"] != nil || mount.Same(map[string]any{"type": "kv", "config": map[string]any{"max_lease_ttl": json.Number("32400000")}}) {
		t.Errorf("got %+v", mount.Data)
	}
	if role, _ := rules.Declared.At("auth/approle/role/a"); strings.Contains(fmt.Sprint(role.Data), "hidden-word") || !role.Has("password") {
		t.Errorf("got %+v", role.Data)
	}
}
