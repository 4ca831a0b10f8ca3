package lang

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Record is a mapping read by a table of keys. Its values have the kinds that the table says; wrong
// entries were reported and are missing.
type Record struct {
	At     value.Position
	Values map[string]any
	// Positions says where each value begins.
	Positions map[string]value.Position
	// Rest holds the keys of an open mapping that the table does not name.
	Rest map[string]any
}

// Text returns the text under name, or "".
func (r Record) Text(name string) string {
	value, _ := r.Values[name].(string)
	return value
}

// Yes reports whether the boolean under name is set and true.
func (r Record) Yes(name string) bool {
	value, _ := r.Values[name].(bool)
	return value
}

// Inner returns the record under name, or an empty one.
func (r Record) Inner(name string) Record {
	value, _ := r.Values[name].(Record)
	return value
}

// Mapping returns the free mapping under name, nil if there is none.
func (r Record) Mapping(name string) map[string]any {
	value, _ := r.Values[name].(map[string]any)
	return value
}

// Records returns the records of the list under name, nil if there is none.
func (r Record) Records(name string) []Record {
	value, _ := r.Values[name].([]Record)
	return value
}

// Read reads a parsed document by the table of the language.
func Read(root Tree, problems *value.Problems) Record {
	return decoder{problems}.record(root, language(), false)
}

// decoder reads trees by tables of keys.
type decoder struct {
	problems *value.Problems
}

// record reads t by the table fields.
func (c decoder) record(t Tree, fields []key, open bool) Record {
	r := Record{At: t.At, Values: map[string]any{}, Positions: map[string]value.Position{}, Rest: map[string]any{}}
	if t.Kind != yaml.MappingNode {
		c.problems.Add(t.At, "expected a mapping, found %s", describe(t))
		return r
	}
	before := c.found()
	for _, e := range t.Entries {
		i := slices.IndexFunc(fields, func(k key) bool { return k.holds(e.Name) })
		switch {
		case i >= 0:
			if value, ok := c.value(e, fields[i]); ok {
				r.Values[e.Name], r.Positions[e.Name] = value, e.At
			}
		case open:
			if value, ok := c.plain(e.Value); ok {
				r.Rest[e.Name] = value
			}
		default:
			c.unknown(e, fields)
		}
	}
	for _, k := range fields {
		if _, ok := r.Values[k.name]; k.required && !ok && c.found() == before {
			c.problems.Add(t.At, "the key %q is missing", k.name)
		}
	}
	return r
}

// found returns how many problems there are so far.
func (c decoder) found() int { return len(c.problems.List) + c.problems.More }

// maxNameShown is how much of an unknown key is shown. A longer one is not taken for a misspelt
// key.
const maxNameShown = 80

func (c decoder) unknown(e Entry, fields []key) {
	if c.problems.Full() { // finding out what is meant is slow
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
	if len(e.Name) > maxNameShown {
		c.problems.Add(e.At, "the key that begins with %.*q is unknown", maxNameShown, e.Name)
		return
	}
	if meant := value.Nearest(e.Name, names); meant != "" {
		c.problems.Add(e.At, "the key %q is unknown; did you mean %q?", e.Name, meant)
		return
	}
	c.problems.Add(e.At, "the key %q is unknown; known are %s", e.Name, strings.Join(names, ", "))
}

// value reads the value of e as its row k says.
func (c decoder) value(e Entry, k key) (any, bool) {
	t := e.Value
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
		if t.Kind != yaml.ScalarNode || t.Tag != "!!bool" {
			c.problems.Add(t.At, "%q must be true or false, found %s", e.Name, describe(t))
			return nil, false
		}
		return strings.EqualFold(t.Text, "true"), true
	case duration:
		return c.duration(e)
	default:
		return c.scalar(e, k.kind)
	}
}

func (c decoder) many(e Entry, k key) (any, bool) {
	if null(e.Value) { // a list whose entries are all commented out
		return nil, false
	}
	if e.Value.Kind != yaml.SequenceNode {
		c.problems.Add(e.Value.At, "%q must be a list, found %s", e.Name, describe(e.Value))
		return nil, false
	}
	records := make([]Record, len(e.Value.Items))
	for i, item := range e.Value.Items {
		records[i] = c.record(item, k.fields, k.open)
	}
	return records, true
}

// scalar reads a text. Numbers are kept as written, so that 0600 stays what the writer meant.
func (c decoder) scalar(e Entry, want kind) (any, bool) {
	t := e.Value
	if t.Kind != yaml.ScalarNode || t.Tag == "!!null" || t.Tag == "!!bool" {
		c.problems.Add(t.At, "%q must be a text, found %s", e.Name, describe(t))
		return nil, false
	}
	v, err := value.ParseText(t.Text, t.At)
	if err != nil {
		c.problems.Add(t.At, "%s", err)
		return nil, false
	}
	if _, refers := v.(value.Template); refers && want != prose && want != duration {
		c.problems.Add(t.At, "%q cannot hold a reference: it must be known when the seed is read", e.Name)
		return nil, false
	}
	return v, true
}

// name reads a text without references, which must be one of k's values if there are any.
func (c decoder) name(e Entry, k key) (any, bool) {
	value, ok := c.scalar(e, text)
	if ok && len(k.values) > 0 && !slices.Contains(k.values, value.(string)) {
		c.problems.Add(e.Value.At, "%q must be one of %s", e.Name, strings.Join(k.values, ", "))
		return nil, false
	}
	return value, ok
}
