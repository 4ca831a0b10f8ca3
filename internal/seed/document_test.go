package seed_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
)

const (
	begin = "<!-- made from the parser's table by 'go test ./internal/seed -update' -->\n"
	end   = "<!-- end of what is made -->\n"
)

// TestReference compares docs/seed.md with the table that the parser uses.
func TestReference(t *testing.T) {
	const path = "../../docs/seed.md"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(content), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatal("the marks of the reference are not there")
	}
	want := before + begin + lang.Reference() + end + after
	if *update {
		put(t, path, want)
	} else if want != string(content) {
		t.Error("docs/seed.md is not current (go test -update rewrites it)")
	}
}

// TestJSONSchema holds the schema in docs to the table, and to be JSON.
func TestJSONSchema(t *testing.T) {
	schema, err := lang.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../../docs/seed.schema.json", string(schema))
	var decoded struct {
		Properties map[string]struct{ Description string }
	}
	if err := json.Unmarshal(schema, &decoded); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"policies", "auth", "secrets", "groups", "requests", "secretsOnce"} {
		if decoded.Properties[name].Description == "" {
			t.Errorf("%s has no description", name)
		}
	}
}

// TestPolicyWarnings warns about what Vault would accept but is probably not meant.
func TestPolicyWarnings(t *testing.T) {
	for _, test := range []struct{ rules, want string }{
		{`path "x" { capabilities = ["read", "read"] }`, `duplicate capability "read" of the path "x"`},
		{`path "x" { capabilities = ["deny", "raed"] }`, `Vault does not recognize the capability "raed" of the path "x"; did you mean "read"?`},
		{`path "x" { policy = "deny" capabilities = ["raed"] }`, `Vault does not recognize the capability "raed" of the path "x"; did you mean "read"?`},
		{`path "x" { capabilities = ["deny", "read"] }`, `overrides all others`},
		{`path "v1/secret/x" { capabilities = ["read"] }`, `can never match: paths in policies have no v1/`},
		{`path "a/*/b" { capabilities = ["read"] }`, `can never match: * is a wildcard only at the end`},
		{`path "a/b+/c" { capabilities = ["read"] }`, `can never match: + stands for a whole name`},
		{`path "kv/app/x" { capabilities = ["read"] }`, `can never match: kv is a kv engine of version 2, whose values are at kv/data/…`},
		{`path "/v1/secret/x" { capabilities = ["read"] }`, `can never match: paths in policies have no v1/`},
		{`path "http://vault/v1/a" { capabilities = ["read"] }`, `can never match: give only the part of the URL after v1/`},
		{`path "kv/data/{{identity.entty.id}}" { capabilities = ["read"] }`, `can never match: Vault does not replace {{identity.entty.id}}; did you mean "identity.entity.id"?`},
		{`path "kv/data/{{identity.entity.metadata}}" { capabilities = ["read"] }`, `can never match: Vault does not replace {{identity.entity.metadata}}`},
		{`path "kv/data/{{identity.groups.names.a.members}}" { capabilities = ["read"] }`, `can never match`},
		{`path "kv/data/{{ identity.entity.metadata.team }}/{{identity.entity.aliases.auth_jwt_1.custom_metadata.a}}/{{identity.groups.ids.a-b.name}}" {}`, ""},
		{`path "kv/data/{{time.now.plus.1h}}" {}`, ""},
		{`path "x" { capabilities = ["scan"] }`, `only OpenBao takes the capability "scan" of the path "x": Vault refuses the policy`},
		{`path "x" { capabilities = ["read"] pagination_limit = 5 }`, `only OpenBao takes the key "pagination_limit" of the path "x": Vault refuses the policy`},
		{`path "x" { capabilities = ["recover", "subscribe"] subscribe_event_types = ["*"] }`, ""},
		{`path "x" { policy = "read" }`, ""},
		{`path "x" { capabilities = ["deny"] min_wrapping_ttl = "abc" }`, ""},
		{`path "x" { capabilities = ["read"] min_wrapping_ttl = "1d" max_wrapping_ttl = 172800 }`, ""},
		{`path "x" { allowed_parameters = { "a" = [] "b" = ["c", 1] } required_parameters = ["a"] }`, ""},
		{`path "x" {} path "x" {}`, `duplicate path "x"`},
		{"path \"y\" {}\npath \"x\" { capabilities = [\"scan\"] }", `line 2 of it`},
		{`path "kv/data/app/*" { capabilities = ["read"] }`, ""},
		{`path "kv/metadata/+/x" { capabilities = ["list"] }`, ""},
		{`path "kv/*" { capabilities = ["sudo"] }`, ""},
		{`path "+/data/{{identity.entity.id}}/*" { capabilities = ["read"] }`, ""},
		{`{"path": {"x": {"capabilities": ["read"]}}}`, ""},
	} {
		indented := strings.ReplaceAll(test.rules, "\n", "\n      ")
		s, err := seed.Load([]string{write(t, "s.yaml", "secrets: [{type: kv-v2, path: kv}]\npolicies:\n  - name: p\n    rules: |\n      "+indented+"\n")})
		if err != nil {
			t.Errorf("%s: %v", test.rules, err)
			continue
		}
		var all strings.Builder
		for _, w := range s.Warnings() {
			all.WriteString(w.String() + "\n")
		}
		if test.want == "" && all.Len() > 0 || !strings.Contains(all.String(), test.want) || test.want != "" && !strings.Contains(all.String(), "s.yaml:3:5: sys/policies/acl/p") {
			t.Errorf("%s: warnings %q, want %q", test.rules, all.String(), test.want)
		}
	}
}

// TestPasswordPolicyWarnings warns about keys that Vault silently drops.
func TestPasswordPolicyWarnings(t *testing.T) {
	for _, test := range []struct{ rules, want string }{
		{`length = 20 rule "charset" { charset = "abc" min_chars = 1 }`, `s.yaml:1:21: sys/policies/password/p: Vault drops the key "min_chars" of a rule "charset"; did you mean "min-chars"?`},
		{`lengthh = 1 length = 20 rule "charset" { charset = "abc" }`, `Vault drops the key "lengthh"; did you mean "length"?`},
		{`length = 20 rule "charset" { charset = "abc" min-chars = 1 } rule "charset" { charset = "xyz" }`, ""},
		{`Length = 20 rule "charset" { Charset = "abc" MIN-chars = 1 }`, ""},
		{`{"length": 20, "rule": [{"charset": {"charset": "äöü", "min-chars": 20}}]}`, ""},
	} {
		s, err := seed.Load([]string{write(t, "s.yaml", "password-policies: [{name: p, rules: '"+test.rules+"'}]\n")})
		if err != nil {
			t.Errorf("%s: %v", test.rules, err)
			continue
		}
		var all strings.Builder
		for _, w := range s.Warnings() {
			all.WriteString(w.String() + "\n")
		}
		if test.want == "" && all.Len() > 0 || !strings.Contains(all.String(), test.want) {
			t.Errorf("%s: warnings %q, want %q", test.rules, all.String(), test.want)
		}
	}
}

// TestPolicyWarningsInNamespaces holds that a path of a policy is in the policy's own
// namespace, or in one below it.
func TestPolicyWarningsInNamespaces(t *testing.T) {
	for _, test := range []struct{ root, team, want string }{
		{"kv/app", "kv/data/app", ""},
		{"kv/app", "kv/app", `team/sys/policies/acl/p, line 1 of it: the path "kv/app" can never match: kv is a kv engine of version 2, whose values are at kv/data/…`},
		{"team/kv/app", "kv/*", `: sys/policies/acl/p, line 1 of it: the path "team/kv/app" can never match: team/kv is a kv engine of version 2, whose values are at team/kv/data/…`},
		{"team/kv/data/app", "team/kv/app", ""},
	} {
		s, err := seed.Load([]string{write(t, "s.yaml", `
secrets: [{type: kv-v1, path: kv}]
policies: [{name: p, rules: 'path "`+test.root+`" { capabilities = ["read"] }'}]
namespaces:
  - path: team
    secrets: [{type: kv-v2, path: kv}]
    policies: [{name: p, rules: 'path "`+test.team+`" { capabilities = ["read"] }'}]
`)})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, w := range s.Warnings() {
			all = append(all, w.String())
		}
		if got := strings.Join(all, "\n"); !strings.HasSuffix(got, test.want) || len(all) > 1 || test.want == "" && len(all) > 0 {
			t.Errorf("%s and %s: warnings %q, want %q", test.root, test.team, got, test.want)
		}
	}
}

// TestWhatVaultTakesIsTaken loads what looks wrong but is valid.
func TestWhatVaultTakesIsTaken(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(`length = 20 rule "charset" { charset = "abc" }`))
	for name, text := range map[string]string{
		"password policy in base64": "password-policies: [{name: a, rules: " + encoded + "}]\n",
		"broken seconds":            "policies: [{name: a, rules: 'path \"a\" { capabilities = [\"read\"] min_wrapping_ttl = 1.5 }'}]\n",
		"seconds before":            "policies: [{name: a, rules: 'path \"a\" { capabilities = [\"read\"] min_wrapping_ttl = \"-5\" }'}]\n",
	} {
		if _, err := seed.Load([]string{write(t, "s.yaml", text)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
