package fields

import (
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Check holds the fields of objects against the table. A value that no server can take is added to
// problems; the warnings name fields that the servers of the table do not have, and values that they
// refuse or understand in another way than was meant. References are not followed, and no value is
// shown.
func Check(objects []object.Object, problems *value.Problems) []value.Problem {
	return run(&check{problems: problems, mounts: mountsOf(objects)}, objects)
}

// Check is Check with a table that was read already.
func (t *Table) Check(objects []object.Object, problems *value.Problems) []value.Problem {
	return run(&check{table: t, problems: problems, mounts: mountsOf(objects)}, objects)
}

func run(c *check, objects []object.Object) []value.Problem {
	for _, o := range objects {
		c.object(o)
	}
	return c.warnings
}

// check is one pass over a seed.
type check struct {
	mounts
	// table is read when the first object needs it, if it was not before.
	table    *Table
	problems *value.Problems
	warnings []value.Problem
}

func (c *check) warn(o object.Object, format string, args ...any) {
	c.warnings = append(c.warnings, value.Problem{Position: o.Position, Text: o.ID.String() + ": " + fmt.Sprintf(format, args...)})
}

// object checks the fields of one object.
func (c *check) object(o object.Object) {
	if o.IsMount() {
		c.settings(o)
		return
	}
	if !takesFields(o) {
		return
	}
	engine, path, known := c.place(o, o.FieldsPath())
	if !known {
		return
	}
	at, known := c.endpoint(engine, path)
	if !known {
		return
	}
	if o.Traits.Split != nil {
		if _, update, ok := c.place(o, o.Traits.Split.Update); ok {
			at = at.with(c.table, update)
		}
	}
	for _, name := range o.CheckedFields() {
		field, known := at.Field(name)
		switch {
		case known:
			c.value(o, at, field)
		case o.Checked(): // a database connection takes what its plugin takes
			c.warn(o, "%s the field %q%s", c.table.without(at), name, value.Suggestion(name, at.names()))
		}
	}
}

// endpoint returns the endpoint of an engine that a path leads to.
func (c *check) endpoint(engine, path string) (Endpoint, bool) {
	if c.table == nil {
		table, err := Read()
		if err != nil { // a test excludes it; the server decides in any case
			table = &Table{}
		}
		c.table = table
	}
	return c.table.At(engine, path)
}

// with returns the endpoint with the fields of another one of the engine as well.
func (e Endpoint) with(t *Table, path string) Endpoint {
	if other, known := t.At(e.Engine, path); known {
		e.Fields = append(e.Fields[:len(e.Fields):len(e.Fields)], other.Fields...)
	}
	return e
}

// without begins a sentence about a field that an endpoint does not have on any server that has the
// endpoint.
func (t *Table) without(e Endpoint) string {
	var names []string
	for product, version := range t.Versions {
		for _, f := range e.Fields {
			if f.Columns[product].Kind != None {
				names = append(names, productNames[product]+" "+version)
				break
			}
		}
	}
	if len(names) == 1 {
		return names[0] + " does not have"
	}
	return "neither " + strings.Join(names, " nor ") + " has"
}

// value checks the value of a field.
func (c *check) value(o object.Object, at Endpoint, field Field) {
	v := o.Data[field.Name]
	wanted, refused := field.misfit(v)
	switch {
	case wanted == "":
	case refused:
		c.problems.Add(o.Position, "%s: %q must be %s", o.ID, field.Name, wanted)
		return
	default:
		c.warn(o, "%q should be %s: servers refuse %s there", field.Name, wanted, describe(v))
		return
	}
	if words, closed := enumeration(at, field.Name); closed && !among(v, words) {
		c.problems.Add(o.Position, "%s: %q must be one of %s", o.ID, field.Name, strings.Join(words, ", "))
	} else if listed := field.values(); !closed && len(listed) > 0 && !among(v, listed) {
		c.warn(o, "%q is none of the values that %s lists for it: %s", field.Name, c.table.having(field), strings.Join(spelt(listed), ", "))
	}
	c.blocks(o, field.Name, v)
}

// having names the products that have a field, with their versions.
func (t *Table) having(f Field) string {
	var names []string
	for product, version := range t.Versions {
		if f.Columns[product].Kind != None {
			names = append(names, productNames[product]+" "+version)
		}
	}
	return strings.Join(names, " or ")
}

// values returns the texts that any product lists for a field.
func (f Field) values() []string {
	var all []string
	for _, c := range f.Columns {
		if c.Kind != None && c.Values == nil { // it does not say
			return nil
		}
		all = append(all, c.Values...)
	}
	return all
}
