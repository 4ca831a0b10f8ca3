package seed_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// FuzzLoad holds that no text makes Load panic, and that every problem it reports has a position.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	for _, text := range []string{"", "---", "a: &a [*a]", "<<: {policies: []}", "policies: [{name: a, rules: '${ env \"A\" }'}]", "\t", "? [a]\n: b", bomb(), "!!set {a}", "%YAML 1.1\n---\n",
		"policies: [{name: a, rules: 'path \"x\" { capabilities = [\"read\"] }'}]", "requests: [{name: a, path: b, unless: {path: c}}]",
		"secrets: [{type: kv}]\nsecretsOnce: [{path: kv/a, data: {b: {generate: {}}}}]", "prune: owned\ntombstones: [{auth: x, destroy: true}]",
		"groups: [{name: a, members: [b]}]\nentity-aliases: [{name: a, mountpath: m, entity: e}]", "secrets: [{type: kv-v1, path: kv, config: {max_lease_ttl: 7d}}]\nsecretsOnce: [{path: kv/a, data: {x: '${ vault \"kv/b\" \"x\" }'}}, {path: kv/b, data: {x: '${ vault \"kv/a\" \"x\" }'}}]",
		"namespaces: [{path: t, groups: [{name: a}], group-aliases: [{name: b, mountpath: m, group: a}, {name: c, mountpath: m, group: a}]}]",
		"auth: [{type: github, map: {teams: {a: [b]}}}]",
		"auth: [{type: x, config: {a: \"${env \"A\"}\", b: '${ .Env.B }'}}]", "apiVersion: v1\nkind: Vault"} {
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "seed.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		put(t, path, text)
		s, err := seed.Load([]string{path})
		if err == nil {
			stable(t, path, s)
			if _, err = s.Objects(context.Background(), env(nil)); err == nil {
				return
			}
		}
		var problems *value.Problems
		if !errors.As(err, &problems) || len(problems.List) == 0 {
			t.Fatalf("no problems in %v", err)
		}
		for _, p := range problems.List {
			if p.Position.File != path {
				t.Errorf("no place: %v", p)
			}
		}
	})
}

// reprint returns the YAML file at path as it was understood: aliases expanded, merge
// keys merged, comments gone.
func reprint(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	problems := &value.Problems{}
	root, _ := lang.Parse(path, content, problems)
	if err := problems.Err(""); err != nil {
		return nil, err
	}
	return yaml.Marshal(printed(root))
}

func printed(t lang.Tree) *yaml.Node {
	n := &yaml.Node{Kind: t.Kind}
	switch t.Kind {
	case yaml.SequenceNode:
		n.Tag = "!!seq"
		for _, item := range t.Items {
			n.Content = append(n.Content, printed(item))
		}
	case yaml.MappingNode:
		n.Tag = "!!map"
		for _, e := range t.Entries {
			name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: e.Name, Style: yaml.DoubleQuotedStyle}
			n.Content = append(n.Content, name, printed(e.Value))
		}
	default:
		n.Tag, n.Value = t.Tag, t.Text
		if t.Tag == "!!str" {
			n.Style = yaml.DoubleQuotedStyle
		}
	}
	return n
}

// stable holds that what was read, printed and read again is the same seed.
func stable(t *testing.T, path string, s *seed.Seed) {
	t.Helper()
	printed, err := reprint(path)
	if err != nil {
		t.Fatalf("printing: %v", err)
	}
	put(t, path, string(printed))
	again, err := seed.Load([]string{path})
	if err != nil {
		t.Fatalf("what was printed cannot be read: %v\n%s", err, printed)
	}
	if again.Digest() != s.Digest() {
		t.Fatalf("what was printed is another seed:\n%s", printed)
	}
	twice, err := reprint(path)
	if err != nil || string(twice) != string(printed) {
		t.Fatalf("printed twice it differs: %v", err)
	}
}

// TestReprint prints the example and every seed of the cookbook.
func TestReprint(t *testing.T) {
	files, err := filepath.Glob("../../docs/cookbook/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cookbook: %v", err)
	}
	for _, file := range append(files, "testdata/example.yaml") {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		path := write(t, "s.yaml", string(content))
		s, err := seed.Load([]string{path})
		if err != nil {
			t.Fatal(err)
		}
		stable(t, path, s)
	}
}
