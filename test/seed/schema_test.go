package seed_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// editorSchema returns the schema in docs as an editor's validator has it, which is not
// ours.
func editorSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	const path = "../../docs/seed.schema.json"
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("seed.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("seed.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// inJSON returns a YAML document as a validator takes it.
func inJSON(t *testing.T, text string) any {
	t.Helper()
	converted, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(converted)))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// TestSchemaTakesOurSeeds holds that an editor marks nothing in the seeds of the docs
// and of the suites, all of which apply.
func TestSchemaTakesOurSeeds(t *testing.T) {
	schema := editorSchema(t)
	for _, pattern := range []string{
		"../../docs/cookbook/*.yaml", "../../internal/seed/testdata/example.yaml", "testdata/everything/*.yaml", "testdata/externalconfig/*.yaml",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// bank-vaults' quotes within quotes are YAML to nobody else.
			text := strings.ReplaceAll(string(content), `"${env "DB_PASSWORD"}"`, "x")
			if err := schema.Validate(inJSON(t, text)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// TestSchemaRefuses holds that an editor marks what the program refuses for its form,
// and not what stands beside it.
func TestSchemaRefuses(t *testing.T) {
	schema := editorSchema(t)
	for _, test := range []struct{ name, good, bad string }{
		{"unknown top-level key", "policies: []", "polices: []"},
		{"unknown inner key", "secrets: [{type: kv, description: x}]", "secrets: [{type: kv, descripton: x}]"},
		{"missing key", "audit: [{type: file}]", "audit: [{path: file}]"},
		{"text for a list", "policies:", "policies: hello"},
		{"text for a mapping", "auth: [{type: x, config: {a: b}}]", "auth: [{type: x, config: a}]"},
		{"list for a mapping", "quotas: {config: {a: b}}", "quotas: [{a: b}]"},
		{"text for a truth", "audit: [{type: file, local: true}]", "audit: [{type: file, local: maybe}]"},
		{"truth for a text", "audit: [{type: '1'}]", "audit: [{type: true}]"},
		{"not one of the values", "prune: owned", "prune: all"},
		{"setting of a mount", "secrets: [{type: kv, config: {max_lease_ttl: 1h}}]", "secrets: [{type: kv, config: {max_lease: 1h}}]"},
		{"role without a name", "auth: [{type: approle, roles: [{name: r, token_ttl: 1h}]}]", "auth: [{type: approle, roles: [{token_ttl: 1h}]}]"},
		{"role in a mapping", "auth: [{type: approle, roles: {r: {token_ttl: 1h}}}]", "auth: [{type: approle, roles: {r: 1h}}]"},
		{"config of a prefix", "auth: [{type: aws, config/identity: {a: b}}]", "auth: [{type: aws, config/: {a: b}}]"},
		{"child", "secrets: [{type: pki, configuration: {roles: [{name: r}], config/urls: {a: b}}}]", "secrets: [{type: pki, configuration: {roles: [r]}}]"},
		{"unknown login", "login: [{method: jwt}]", "login: [{method: ldap}]"},
		{"within a namespace", "namespaces: [{path: t, policies: [{name: a, rules: b}]}]", "namespaces: [{path: t, policies: [{name: a}]}]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := schema.Validate(inJSON(t, test.good)); err != nil {
				t.Errorf("%s: %v", test.good, err)
			}
			if err := schema.Validate(inJSON(t, test.bad)); err == nil {
				t.Errorf("%s: no error", test.bad)
			}
		})
	}
}
