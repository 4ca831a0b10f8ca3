package seed

import (
	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// named reads a list, or a mapping from names to what the items of a list would be.
func (c clerk) named(e entry, k key) (any, bool) {
	if e.value.kind != yaml.MappingNode {
		return c.many(e, k)
	}
	label := k.fields[0].name
	records := make([]record, len(e.value.entries))
	for i, item := range e.value.entries {
		if null(item.value) { // 'name:' alone is an object without fields
			item.value = tree{at: item.at, kind: yaml.MappingNode}
		}
		name := tree{at: item.at, kind: yaml.ScalarNode, tag: "!!str", text: item.name}
		item.value.entries = append([]entry{{label, item.at, name}}, item.value.entries...)
		records[i] = c.record(item.value, k.fields, k.open)
	}
	return records, true
}

// child is what lives under one path below a mount.
type child struct {
	path string
	at   value.Position
	// each is what is written there: below it, if it has a name.
	each []record
}

// children reads a mapping from paths to lists of mappings, or to one mapping.
func (c clerk) children(e entry, k key) (any, bool) {
	if null(e.value) {
		return nil, false
	}
	if e.value.kind != yaml.MappingNode {
		c.problems.Add(e.value.at, "%q must be a mapping, found %s", e.name, describe(e.value))
		return nil, false
	}
	var found []child
	for _, item := range e.value.entries {
		if item.value.kind == yaml.MappingNode {
			item.value = tree{at: item.value.at, kind: yaml.SequenceNode, items: []tree{item.value}}
		}
		if err := value.CheckPath(value.TrimPath(item.name)); err != nil {
			c.problems.Add(item.at, "the path %q cannot be used: %s", item.name, err)
			continue
		}
		k.open = true
		if records, ok := c.many(item, k); ok {
			found = append(found, child{value.TrimPath(item.name), item.at, records.([]record)})
		}
	}
	return found, true
}
