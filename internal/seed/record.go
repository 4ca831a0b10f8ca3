package seed

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// record is a mapping read by a table of keys. What it holds is of the kind that
// the table says; wrong entries were reported and are missing.
type record struct {
	at     value.Position
	values map[string]any
	// places says where each of values begins.
	places map[string]value.Position
	// rest holds the keys of an open mapping that the table does not name.
	rest map[string]any
}

// text returns the text under name, or "".
func (r record) text(name string) string {
	value, _ := r.values[name].(string)
	return value
}

// yes reports whether the truth under name is there and true.
func (r record) yes(name string) bool {
	value, _ := r.values[name].(bool)
	return value
}

// inner returns the record under name, which is empty if there is none.
func (r record) inner(name string) record {
	value, _ := r.values[name].(record)
	return value
}

// mapping returns the free mapping under name, nil if there is none.
func (r record) mapping(name string) map[string]any {
	value, _ := r.values[name].(map[string]any)
	return value
}

func (r record) records(name string) []record {
	value, _ := r.values[name].([]record)
	return value
}

// clerk reads trees by tables of keys.
type clerk struct {
	problems *value.Problems
}

// record reads t by the table fields.
func (c clerk) record(t tree, fields []key, open bool) record {
	r := record{at: t.at, values: map[string]any{}, places: map[string]value.Position{}, rest: map[string]any{}}
	if t.kind != yaml.MappingNode {
		c.problems.Add(t.at, "expected a mapping, found %s", describe(t))
		return r
	}
	before := c.found()
	for _, e := range t.entries {
		i := slices.IndexFunc(fields, func(k key) bool { return k.holds(e.name) })
		switch {
		case i >= 0:
			if value, ok := c.value(e, fields[i]); ok {
				r.values[e.name], r.places[e.name] = value, e.at
			}
		case open:
			if value, ok := c.plain(e.value); ok {
				r.rest[e.name] = value
			}
		default:
			c.unknown(e, fields)
		}
	}
	for _, k := range fields {
		if _, ok := r.values[k.name]; k.required && !ok && c.found() == before {
			c.problems.Add(t.at, "the key %q is missing", k.name)
		}
	}
	return r
}

// found returns how many problems there are so far.
func (c clerk) found() int { return len(c.problems.List) + c.problems.More }

// longestName is how much of an unknown key is told, and how long one may be that is
// taken for a misspelt one.
const longestName = 80

func (c clerk) unknown(e entry, fields []key) {
	if c.problems.Full() { // finding out what is meant takes its time
		c.problems.More++
		return
	}
	names := make([]string, len(fields))
	for i, k := range fields {
		names[i] = k.name
		if k.prefix {
			names[i] += "…"
		}
	}
	if len(e.name) > longestName {
		c.problems.Add(e.at, "the key that begins with %.*q is unknown", longestName, e.name)
		return
	}
	if meant := value.Nearest(e.name, names); meant != "" {
		c.problems.Add(e.at, "the key %q is unknown; did you mean %q?", e.name, meant)
		return
	}
	c.problems.Add(e.at, "the key %q is unknown; known are %s", e.name, strings.Join(names, ", "))
}

// value reads the value of e as its row k says.
func (c clerk) value(e entry, k key) (any, bool) {
	t := e.value
	switch k.kind {
	case one:
		if null(t) {
			return nil, false
		}
		return c.record(t, k.fields, k.open), true
	case many:
		return c.many(e, k)
	case named:
		return c.named(e, k)
	case children:
		return c.children(e, k)
	case free:
		return c.free(e)
	case words:
		return c.words(t)
	case text:
		return c.name(e, k)
	case proseOrTruth:
		return c.proseOrTruth(e)
	case truth:
		if t.kind != yaml.ScalarNode || t.tag != "!!bool" {
			c.problems.Add(t.at, "%q must be true or false, found %s", e.name, describe(t))
			return nil, false
		}
		return strings.EqualFold(t.text, "true"), true
	case duration:
		return c.duration(e)
	default:
		return c.scalar(e, k.kind)
	}
}

func (c clerk) many(e entry, k key) (any, bool) {
	if null(e.value) { // a list whose entries are all commented out
		return nil, false
	}
	if e.value.kind != yaml.SequenceNode {
		c.problems.Add(e.value.at, "%q must be a list, found %s", e.name, describe(e.value))
		return nil, false
	}
	records := make([]record, len(e.value.items))
	for i, item := range e.value.items {
		records[i] = c.record(item, k.fields, k.open)
	}
	return records, true
}

func (c clerk) free(e entry) (any, bool) {
	if null(e.value) {
		return nil, false
	}
	if e.value.kind != yaml.MappingNode {
		c.problems.Add(e.value.at, "%q must be a mapping, found %s", e.name, describe(e.value))
		return nil, false
	}
	return c.plain(e.value)
}

// plain returns t as Vault's API takes it, with templates where text refers to
// something outside.
func (c clerk) plain(t tree) (any, bool) {
	switch t.kind {
	case yaml.SequenceNode:
		list := make([]any, 0, len(t.items))
		for _, item := range t.items {
			if value, ok := c.plain(item); ok {
				list = append(list, value)
			}
		}
		return list, true
	case yaml.MappingNode:
		if len(t.entries) == 1 && t.entries[0].name == "valueFrom" {
			return c.valueFrom(t.entries[0])
		}
		mapping := make(map[string]any, len(t.entries))
		for _, e := range t.entries {
			if value, ok := c.plain(e.value); ok {
				mapping[e.name] = value
			}
		}
		return mapping, true
	default:
		return c.plainScalar(t)
	}
}
