package prop_test

import (
	"encoding/json"
	"strconv"
)

// kind is what a value is, whatever its spelling.
type kind int

const (
	text kind = iota
	number
	truth
	duration
	words // a list of texts
	list
	mapping
	// nothing is a key without a value, for a list whose entries are all commented out.
	nothing
)

// value is a value of a seed, before it is spelt.
type value struct {
	kind kind
	// text is that of a scalar: a text itself, a number in decimals, true or false, or seconds.
	text   string
	items  []value
	fields []field
	// refers allows a reference to stand for a text. loose is a field of Vault's own that takes a
	// number or truth as a text, and a list of texts as one text with commas.
	refers, loose bool
	// source is a text as it stands in the seed, with references in it.
	source bool
	// secret is a text that no output may show.
	secret bool
}

// field is a field of a mapping. A dotted name is that of a field in a mapping in it.
type field struct {
	name  string
	value value
}

func nameOf(s string) value   { return value{kind: text, text: s} }
func proseOf(s string) value  { return value{kind: text, text: s, refers: true} }
func sourceOf(s string) value { return value{kind: text, text: s, source: true} }
func secretOf(s string) value { return value{kind: text, text: s, refers: true, secret: true} }
func numberOf(n int) value    { return value{kind: number, text: strconv.Itoa(n)} }
func truthOf(b bool) value    { return value{kind: truth, text: strconv.FormatBool(b)} }
func secondsOf(n int) value   { return value{kind: duration, text: strconv.Itoa(n)} }

func wordsOf(texts ...string) value {
	v := value{kind: words, loose: true}
	for _, each := range texts {
		v.items = append(v.items, proseOf(each))
	}
	return v
}

// namesOf is a list of texts without references.
func namesOf(texts ...string) value {
	v := value{kind: words, loose: true}
	for _, each := range texts {
		v.items = append(v.items, nameOf(each))
	}
	return v
}

func listOf(items ...value) value { return value{kind: list, items: items} }

func mappingOf(fields ...field) value { return value{kind: mapping, fields: fields} }

// wire is the value as Vault's API takes it.
func (v value) wire() any {
	switch v.kind {
	case nothing:
		return nil
	case number, duration:
		return json.Number(v.text)
	case truth:
		return v.text == "true"
	case words, list:
		out := make([]any, len(v.items))
		for i, each := range v.items {
			out[i] = each.wire()
		}
		return out
	case mapping:
		out := map[string]any{}
		for _, f := range v.fields {
			out[f.name] = f.value.wire()
		}
		return out
	}
	return v.text
}

// same reports whether two values are the same, however they are spelt.
func same(a, b value) bool { return a.canonical() == b.canonical() }

func (v value) canonical() string {
	encoded, err := json.Marshal(v.wire())
	if err != nil {
		panic(err) // it holds texts and numbers
	}
	return string(encoded)
}

// resolved reports whether nothing in the value waits for an answer of Vault.
func (v value) resolved() bool {
	for _, each := range v.items {
		if !each.resolved() {
			return false
		}
	}
	for _, f := range v.fields {
		if !f.value.resolved() {
			return false
		}
	}
	return !v.source
}

// secrets returns the texts that no output may show.
func (v value) secrets() []string {
	var found []string
	if v.secret {
		found = append(found, v.text)
	}
	for _, each := range v.items {
		found = append(found, each.secrets()...)
	}
	for _, f := range v.fields {
		found = append(found, f.value.secrets()...)
	}
	return found
}

// at returns the field of a mapping; nil if there is none.
func (v *value) at(name string) *value {
	for i := range v.fields {
		if v.fields[i].name == name {
			return &v.fields[i].value
		}
	}
	return nil
}

// into returns the field of a mapping, which is made if it is not there.
func (v *value) into(name string, empty value) *value {
	if found := v.at(name); found != nil {
		return found
	}
	v.fields = append(v.fields, field{name, empty})
	return &v.fields[len(v.fields)-1].value
}
