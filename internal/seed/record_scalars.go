package seed

import (
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// scalar reads a text. Numbers are taken as they are written, so that 0600 stays
// what the writer meant.
func (c clerk) scalar(e entry, want kind) (any, bool) {
	t := e.value
	if t.kind != yaml.ScalarNode || t.tag == "!!null" || t.tag == "!!bool" {
		c.problems.Add(t.at, "%q must be a text, found %s", e.name, describe(t))
		return nil, false
	}
	v, err := value.ParseText(t.text, t.at)
	if err != nil {
		c.problems.Add(t.at, "%s", err)
		return nil, false
	}
	if _, refers := v.(value.Template); refers && want != prose && want != duration {
		c.problems.Add(t.at, "%q cannot hold a reference: it must be known when the seed is read", e.name)
		return nil, false
	}
	return v, true
}

// proseOrTruth reads a text, a number or a truth as a text.
func (c clerk) proseOrTruth(e entry) (any, bool) {
	if e.value.kind == yaml.ScalarNode && e.value.tag == "!!bool" {
		return strings.ToLower(e.value.text), true
	}
	return c.scalar(e, prose)
}

// name reads a text without references, one of k's values if it has any.
func (c clerk) name(e entry, k key) (any, bool) {
	value, ok := c.scalar(e, text)
	if ok && len(k.values) > 0 && !slices.Contains(k.values, value.(string)) {
		c.problems.Add(e.value.at, "%q must be one of %s", e.name, strings.Join(k.values, ", "))
		return nil, false
	}
	return value, ok
}

// duration reads a length of time. Those of leases may be the server's own.
func (c clerk) duration(e entry) (any, bool) {
	v, ok := c.scalar(e, duration)
	text, plain := v.(string)
	if !ok || !plain || text == "" || text == "system" && strings.HasSuffix(e.name, "_ttl") {
		return v, ok
	}
	if length, known := value.Seconds(text); !known || length < 0 {
		c.problems.Add(e.value.at, "%q must be a length of time, such as 90, 30m, 1h30m or 7d", e.name)
		return nil, false
	}
	return v, true
}

func (c clerk) words(t tree) (any, bool) {
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
		c.problems.Add(t.at, "expected a list of texts, found %s", describe(t))
		return nil, false
	}
}

func (c clerk) plainScalar(t tree) (any, bool) {
	switch {
	case t.tag == "!!null":
		c.problems.Add(t.at, `a value is missing: write "" for an empty text, or remove the key`)
		return nil, false
	case t.tag == "!!bool":
		return strings.EqualFold(t.text, "true"), true
	case (t.tag == "!!int" || t.tag == "!!float") && json.Valid([]byte(t.text)):
		return json.Number(t.text), true
	case t.tag != "!!str": // a number that JSON does not know, such as 0600 or .inf
		return t.text, true
	}
	value, err := value.ParseText(t.text, t.at)
	if err != nil {
		c.problems.Add(t.at, "%s", err)
		return nil, false
	}
	return value, true
}

func null(t tree) bool { return t.kind == yaml.ScalarNode && t.tag == "!!null" }

// describe names what t is, without showing what it says: it may be a secret in
// the wrong place.
func describe(t tree) string {
	switch t.kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	}
	switch t.tag {
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
