package manifests

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const chart = "chart/vault-bootstrap/"

var update = flag.Bool("update", false, "write the table of values into the chart's README")

// value is a row of the table.
type value struct{ path, kind, preset, about string }

// about returns the comment above a key, without its dashes.
func about(key *yaml.Node) string {
	for _, line := range slices.Backward(strings.Split(key.HeadComment, "\n")) {
		if text, found := strings.CutPrefix(line, "# -- "); found {
			return text
		}
	}
	return ""
}

// rows returns a row for each documented key below node, and the paths of the
// leaves that nothing documents.
func rows(node *yaml.Node, path string) (found []value, silent []string, err error) {
	for i := 0; i < len(node.Content); i += 2 {
		key, child := node.Content[i], node.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		text := about(key)
		if text != "" {
			preset, err := inline(child)
			if err != nil {
				return nil, nil, err
			}
			found = append(found, value{at, kindOf(child), preset, text})
			continue // its description covers what is below it
		}
		if child.Kind != yaml.MappingNode || len(child.Content) == 0 {
			silent = append(silent, at)
			continue
		}
		more, mute, err := rows(child, at)
		if err != nil {
			return nil, nil, err
		}
		found, silent = append(found, more...), append(silent, mute...)
	}
	return found, silent, nil
}

func kindOf(node *yaml.Node) string {
	switch node.ShortTag() {
	case "!!str":
		return "string"
	case "!!bool":
		return "bool"
	case "!!int":
		return "int"
	case "!!seq":
		return "list"
	case "!!map":
		return "object"
	default:
		return "–"
	}
}

// inline returns a value as JSON, in one line.
func inline(node *yaml.Node) (string, error) {
	var v any
	if err := node.Decode(&v); err != nil {
		return "", err
	}
	text, err := json.Marshal(v)
	return string(text), err
}

func parsed(t *testing.T) *yaml.Node {
	t.Helper()
	content, err := os.ReadFile(chart + "values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	return document.Content[0]
}

// The marks around the table in the README.
const begin, end = "<!-- values: written by go test ./manifests -update -->\n", "<!-- end of values -->\n"

func TestREADMEHasTheTableOfValues(t *testing.T) {
	found, silent, err := rows(parsed(t), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(silent) > 0 {
		t.Errorf("values.yaml does not describe %v: write a comment that begins with '# -- ' above each", silent)
	}
	var b strings.Builder
	b.WriteString("| value | type | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, v := range found {
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", v.path, v.kind, v.preset, v.about)
	}
	readme, err := os.ReadFile(chart + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found1 := strings.Cut(string(readme), begin)
	_, after, found2 := strings.Cut(rest, end)
	if !found1 || !found2 {
		t.Fatalf("the chart's README lacks the marks %q and %q", begin, end)
	}
	want := before + begin + b.String() + end + after
	switch {
	case want == string(readme):
	case *update:
		if err := os.WriteFile(chart+"README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("the table of values in the chart's README is not current: run 'go test ./manifests -update'")
	}
}

// schema is the part of a JSON schema that the test reads.
type schema struct {
	Type                 any
	AdditionalProperties any
	Properties           map[string]schema
}

// TestSchemaKnowsEveryValue compares the keys of both, at every depth that the schema
// describes, so that no value is without a type and no type without a value.
func TestSchemaKnowsEveryValue(t *testing.T) {
	content, err := os.ReadFile(chart + "values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root schema
	if err := json.Unmarshal(content, &root); err != nil {
		t.Fatal(err)
	}
	delete(root.Properties, "global") // Helm's own, for subcharts
	compare(t, "values", root, parsed(t))
}

func compare(t *testing.T, path string, s schema, node *yaml.Node) {
	t.Helper()
	if len(s.Properties) == 0 {
		return
	}
	if s.AdditionalProperties != false {
		t.Errorf("the schema lets %s have any key: a misspelt one would be ignored", path)
	}
	left := maps.Clone(s.Properties)
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i].Value
		property, known := left[key]
		if !known {
			t.Errorf("the schema does not know %s.%s", path, key)
			continue
		}
		delete(left, key)
		compare(t, path+"."+key, property, node.Content[i+1])
	}
	for key := range left {
		t.Errorf("the schema has %s.%s, values.yaml has not", path, key)
	}
}
