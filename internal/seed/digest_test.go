package seed_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
)

// settings are sections and options that no seed of the cookbook has.
const settings = `
harden:
  profile: strict
  require: [own-login]
  advise: [one-audit-device]
  fix: [no-root-token]
  limits: {token-ttl: 1h}
  exceptions:
    - {control: own-login, object: auth/a, reason: moved, expires: "2030-01-01"}
login:
  - {method: jwt, path: ci, token_file: token, audience: vault}
  - {method: kubernetes, kubernetes_host: "https://k", token_file: other}
  - {method: userpass, password_file: password}
cors: {allowed_origins: ["https://a"], allowed_headers: [x]}
audit: [{type: file, path: file, description: d, options: {file_path: /a}}]
policies: [{name: a, rules: 'path "b" { capabilities = ["read"] }'}]
password-policies: [{name: pin, rules: 'length = 8 rule "charset" { charset = "0123456789" min-chars = 1 }'}]
tokens: {roles: {a: {orphan: true}}}
auth:
  - type: userpass
    path: people
    description: d
    local: true
    seal_wrap: true
    options: {default_lease_ttl: 1h, listing_visibility: unauth, user_lockout_config: {lockout_threshold: 3}}
    users: [{username: a, password: b, token_policies: [a]}]
  - type: approle
    roles: [{name: a, token_ttl: 1h}]
entities: [{name: a, policies: [a], metadata: {b: c}, disabled: true}]
entity-aliases: [{name: a, mountpath: people, entity: a}]
groups: [{name: b, type: external, policies: [a]}]
group-aliases: [{name: b, mountpath: people, group: b}]
quotas:
  rate-limits: [{name: a, rate: 5, path: kv}]
  lease-counts: [{name: b, max_leases: 5}]
startupSecrets: [{type: kv, path: kv/data/s, data: {data: {a: b}}}]
secretsOnce: [{path: kv/o, data: {a: b, c: {generate: {length: 20, alphabet: hex}}}}]
ui-headers: {X-Frame-Options: DENY}
secrets:
  - type: kv
    path: kv
    options: {version: 2}
  - type: database
    configuration:
      config:
        - {name: a, rotate: true, plugin_name: p, password: b}
        - {name: b, create_only: true, plugin_name: p}
  - type: pki
    configuration:
      root/generate:
        - {name: internal, save_to: kv/ca, common_name: a}
requests:
  - name: first
    path: kv/config
    data: {max_versions: 3}
    unless: {path: kv/config, field: max_versions, value: "3"}
    save_to: kv/answer
  - {name: second, path: kv/metadata/a, operation: delete}
`

// TestDigestCounts removes one key after another from real seeds: whatever the key is, the digest
// must change.
func TestDigestCounts(t *testing.T) {
	texts := map[string]string{
		"settings": settings, "pruned": "prune: owned\nsecrets: [{type: kv}]\n",
		"entombed": "purgeUnmanagedConfig: {enabled: true, exclude: {policies: true}}\ntombstones: [{secrets: old, destroy: true}]\n",
	}
	for _, pattern := range []string{"../../docs/cookbook/*.yaml", "../../test/seed/testdata/*/*.yaml", "testdata/example.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[file] = string(content)
		}
	}
	seen := map[string]bool{}
	for name, text := range texts {
		whole, _, err := loadText(t, text)
		if err != nil {
			if !strings.HasPrefix(name, "../") {
				t.Fatal(err)
			}
			continue // it is a part of a seed
		}
		tried := 0
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(text), &document); err != nil {
			continue // written as bank-vaults takes it, and no YAML
		}
		eachKey(document.Content[0], nil, func(path []string) {
			changed, err := yaml.Marshal(&document)
			if err != nil {
				t.Fatal(err)
			}
			smaller, _, err := loadText(t, string(changed))
			if err != nil {
				return // it cannot be left out
			}
			tried++
			for _, key := range path {
				seen[key] = true
			}
			if smaller.Digest() == whole.Digest() {
				t.Errorf("%s: without %s the digest is the same", name, strings.Join(path, " > "))
			}
		})
		t.Logf("%s: %d keys", name, tried)
	}
	for _, key := range sections(t) {
		if !seen[key] && key != "namespaces" && key != "plugins" {
			t.Errorf("no seed here has the section %q", key)
		}
	}
}

// sections returns the top-level keys of the language.
func sections(t *testing.T) []string {
	text, err := lang.JSONSchema()
	var schema struct{ Properties map[string]any }
	if err != nil || json.Unmarshal(text, &schema) != nil || len(schema.Properties) == 0 {
		t.Fatalf("no schema: %v", err)
	}
	return slices.Sorted(maps.Keys(schema.Properties))
}

// eachKey calls visit with one key of the tree removed at a time.
func eachKey(n *yaml.Node, path []string, visit func(path []string)) {
	if n.Kind != yaml.MappingNode {
		for _, inner := range n.Content {
			eachKey(inner, path, visit)
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		content, here := n.Content, append(path[:len(path):len(path)], n.Content[i].Value)
		if !isDefault(content, i) {
			n.Content = append(content[:i:i], content[i+2:]...)
			visit(here)
			n.Content = content
		}
		eachKey(content[i+1], here, visit)
	}
}

// isDefault reports whether a key is the path of a mount that it would have without it.
func isDefault(mapping []*yaml.Node, key int) bool {
	for i := 0; i+1 < len(mapping); i += 2 {
		if mapping[i].Value == "type" && mapping[key].Value == "path" {
			return mapping[i+1].Value == mapping[key+1].Value
		}
	}
	return false
}

// TestDigestIgnores makes changes that must not change the digest.
func TestDigestIgnores(t *testing.T) {
	const one, other = "policies:\n- {name: a, rules: 'path \"b\" {}'}\n- {name: b, rules: 'path \"b\" {}'}\n", "harden: {require: [x, y], profile: strict}\n"
	digest := func(files ...string) string {
		t.Helper()
		loaded, _, err := loadText(t, files...)
		if err != nil {
			t.Fatal(err)
		}
		return loaded.Digest()
	}
	want := digest(one, other)
	for name, got := range map[string]string{
		"files":    digest(other, one),
		"one file": digest(one + other),
		"comments": digest("# why\n"+one, other),
		"order":    digest("policies:\n- {rules: 'path \"b\" {}', name: b}\n- {name: a, rules: 'path \"b\" {}'}\n", "harden: {profile: strict, require: [y, x]}\n"),
	} {
		if got != want {
			t.Errorf("%s: got another digest", name)
		}
	}
	// Two passwords have the same digest, since it is public.
	user := func(password string) string {
		return digest("auth:\n- type: userpass\n  users:\n  - {username: a, password: " + password + "}\nsecretsOnce:\n- {path: kv/a, data: {b: " + password + "}}\nsecrets: [{type: kv}]\n")
	}
	if user("one") != user("two") {
		t.Error("the digest is made from a password")
	}
	if user("'one${ env \"A\" }'") != user("'two${ env \"A\" }'") || user("'${ env \"A\" }'") == user("'${ env \"B\" }'") {
		t.Error("of a reference in a password, what it refers to counts, and nothing around it")
	}
}
