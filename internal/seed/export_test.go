package seed

import (
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Reprint returns the YAML file at path as it was understood: aliases expanded, merge
// keys merged, comments gone.
func Reprint(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	l := &loader{problems: &value.Problems{}, left: sizeLimit}
	root, _ := l.document(path, content)
	if err := l.problems.Err(""); err != nil {
		return nil, err
	}
	return yaml.Marshal(printed(root))
}

func printed(t tree) *yaml.Node {
	n := &yaml.Node{Kind: t.kind}
	switch t.kind {
	case yaml.SequenceNode:
		n.Tag = "!!seq"
		for _, item := range t.items {
			n.Content = append(n.Content, printed(item))
		}
	case yaml.MappingNode:
		n.Tag = "!!map"
		for _, e := range t.entries {
			name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: e.name, Style: yaml.DoubleQuotedStyle}
			n.Content = append(n.Content, name, printed(e.value))
		}
	default:
		n.Tag, n.Value = t.tag, t.text
		if t.tag == "!!str" {
			n.Style = yaml.DoubleQuotedStyle
		}
	}
	return n
}

// TopLevelKeys are the sections of the language.
func TopLevelKeys() []string {
	var names []string
	for _, k := range language() {
		names = append(names, k.name)
	}
	return names
}
