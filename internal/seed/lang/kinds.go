package lang

import (
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// proseOrTruth reads a text, a number or a boolean as a text.
func (c decoder) proseOrTruth(e Entry) (any, bool) {
	if e.Value.Kind == yaml.ScalarNode && e.Value.Tag == "!!bool" {
		return strings.ToLower(e.Value.Text), true
	}
	return c.scalar(e, prose)
}

// duration reads a duration. That of a lease may be 'system', the server's own.
func (c decoder) duration(e Entry) (any, bool) {
	v, ok := c.scalar(e, duration)
	text, plain := v.(string)
	if !ok || !plain || text == "" || text == "system" && strings.HasSuffix(e.Name, "_ttl") {
		return v, ok
	}
	if length, known := value.Seconds(text); !known || length < 0 {
		c.problems.Add(e.Value.At, "%q must be a duration, such as 90, 30m, 1h30m or 7d", e.Name)
		return nil, false
	}
	return v, true
}

func (c decoder) words(t Tree) (any, bool) {
	v, ok := c.plain(t)
	if !ok {
		return nil, false
	}
	switch v := v.(type) {
	case string:
		return value.ToList(value.SplitList(v)), true
	case []any:
		return v, true
	default:
		c.problems.Add(t.At, "expected a list of texts, found %s", describe(t))
		return nil, false
	}
}

func (c decoder) plainScalar(t Tree) (any, bool) {
	switch {
	case t.Tag == "!!null":
		c.problems.Add(t.At, `a value is missing: write "" for an empty text, or remove the key`)
		return nil, false
	case t.Tag == "!!bool":
		return strings.EqualFold(t.Text, "true"), true
	case (t.Tag == "!!int" || t.Tag == "!!float") && json.Valid([]byte(t.Text)):
		return json.Number(t.Text), true
	case t.Tag != "!!str": // a number that JSON does not know, such as 0600 or .inf
		return t.Text, true
	}
	value, err := value.ParseText(t.Text, t.At)
	if err != nil {
		c.problems.Add(t.At, "%s", err)
		return nil, false
	}
	return value, true
}

// describe names the type of t without its value, which may be a misplaced secret.
func describe(t Tree) string {
	switch t.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	}
	switch t.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	default:
		return "a text"
	}
}

func (c decoder) free(e Entry) (any, bool) {
	if null(e.Value) {
		return nil, false
	}
	if e.Value.Kind != yaml.MappingNode {
		c.problems.Add(e.Value.At, "%q must be a mapping, found %s", e.Name, describe(e.Value))
		return nil, false
	}
	return c.plain(e.Value)
}

// plain returns t as Vault's API accepts it, with templates for texts that hold references.
func (c decoder) plain(t Tree) (any, bool) {
	switch t.Kind {
	case yaml.SequenceNode:
		list := make([]any, 0, len(t.Items))
		for _, item := range t.Items {
			if value, ok := c.plain(item); ok {
				list = append(list, value)
			}
		}
		return list, true
	case yaml.MappingNode:
		if len(t.Entries) == 1 && t.Entries[0].Name == "valueFrom" {
			return c.valueFrom(t.Entries[0])
		}
		mapping := make(map[string]any, len(t.Entries))
		for _, e := range t.Entries {
			if value, ok := c.plain(e.Value); ok {
				mapping[e.Name] = value
			}
		}
		return mapping, true
	default:
		return c.plainScalar(t)
	}
}

// valueFrom reads a reference written as Kubernetes writes it in a container's env.
func (c decoder) valueFrom(e Entry) (any, bool) {
	r := c.record(e.Value, []key{
		{name: value.CallSecret, kind: one, fields: referenceKeys()},
		{name: value.CallConfigMap, kind: one, fields: referenceKeys()},
	}, false)
	if len(r.Values) != 1 {
		c.problems.Add(e.At, "valueFrom takes one of %s and %s", value.CallSecret, value.CallConfigMap)
		return nil, false
	}
	for call := range r.Values {
		if ref := r.Inner(call); ref.Text("name") != "" && ref.Text("key") != "" {
			return value.Reference(call, e.At, ref.Text("name"), ref.Text("key")), true
		}
	}
	return nil, false
}

// named reads a list, or a mapping from names to what would be the items of the list.
func (c decoder) named(e Entry, k key) (any, bool) {
	if e.Value.Kind != yaml.MappingNode {
		return c.many(e, k)
	}
	label := k.fields[0].name
	records := make([]Record, len(e.Value.Entries))
	for i, item := range e.Value.Entries {
		if null(item.Value) { // 'name:' alone is an object without fields
			item.Value = Tree{At: item.At, Kind: yaml.MappingNode}
		}
		name := Tree{At: item.At, Kind: yaml.ScalarNode, Tag: "!!str", Text: item.Name}
		item.Value.Entries = append([]Entry{{label, item.At, name}}, item.Value.Entries...)
		records[i] = c.record(item.Value, k.fields, k.open)
	}
	return records, true
}

// Child is what is declared under one path below a mount.
type Child struct {
	Path string
	at   value.Position
	// Items is what is written to the path, or below it if it has a name.
	Items []Record
}

// children reads a mapping from paths to lists of mappings, or to one mapping.
func (c decoder) children(e Entry, k key) (any, bool) {
	if null(e.Value) {
		return nil, false
	}
	if e.Value.Kind != yaml.MappingNode {
		c.problems.Add(e.Value.At, "%q must be a mapping, found %s", e.Name, describe(e.Value))
		return nil, false
	}
	var found []Child
	for _, item := range e.Value.Entries {
		if item.Value.Kind == yaml.MappingNode {
			item.Value = Tree{At: item.Value.At, Kind: yaml.SequenceNode, Items: []Tree{item.Value}}
		}
		if err := value.CheckPath(value.TrimPath(item.Name)); err != nil {
			c.problems.Add(item.At, "the path %q cannot be used: %s", item.Name, err)
			continue
		}
		k.open = true
		if records, ok := c.many(item, k); ok {
			found = append(found, Child{value.TrimPath(item.Name), item.At, records.([]Record)})
		}
	}
	return found, true
}
