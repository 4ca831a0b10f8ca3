package fields

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// text is the table as it is stored: which versions it was made from, then each endpoint with its
// fields. A field has a column for Vault and one for OpenBao, one for both where they agree, and a
// dash where a product does not have it.
//
//go:embed table.txt
var text string

// The products, in the order of the columns.
const (
	Vault = iota
	OpenBao
	products
)

// productNames are the names of the products, as they name themselves.
var productNames = [products]string{"Vault", "OpenBao"}

// Column is what one product says of a field. The zero Column means that it does not have it.
type Column struct {
	Kind Kind
	// Values are the texts that it lists for the field; nil if it lists none.
	Values []string
}

// Field is a field of an endpoint: a name, and what each product says of it.
type Field struct {
	Name    string
	Columns [products]Column
}

// Endpoint is a path below a mount that takes fields.
type Endpoint struct {
	// Engine is the auth method, as auth/TYPE, or the type of the secrets engine.
	Engine string
	// Path is the path below the mount, with + for a name in it.
	Path string
	// Fields are sorted by name.
	Fields []Field
	// segments are those of Path.
	segments []string
}

// Table is everything that is known.
type Table struct {
	// Versions are those that the columns were made from; empty for a column without any.
	Versions [products]string
	// Endpoints are sorted by engine and path.
	Endpoints []Endpoint
	// engines holds where an engine's endpoints begin and end.
	engines map[string][2]int
}

// Read returns the table. The error is that of a table that is not well formed, which a test
// excludes.
func Read() (*Table, error) { return Parse(text) }

// Parse returns the table in a text.
func Parse(text string) (*Table, error) {
	t := &Table{engines: map[string][2]int{}}
	for number, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := t.line(line); err != nil {
			return nil, fmt.Errorf("line %d of the table of fields: %w", number+1, err)
		}
	}
	for i, e := range t.Endpoints {
		span, known := t.engines[e.Engine]
		if !known {
			span[0] = i
		}
		t.engines[e.Engine] = [2]int{span[0], i + 1}
	}
	return t, nil
}

// line reads a version, an endpoint, or a field of the endpoint before it.
func (t *Table) line(line string) error {
	words := strings.Split(line, " ")
	inner, isField := strings.CutPrefix(line, "\t")
	switch {
	case isField && len(t.Endpoints) > 0:
		field, err := parseField(inner)
		last := &t.Endpoints[len(t.Endpoints)-1]
		last.Fields = append(last.Fields, field)
		return err
	case isField || len(words) != 2:
		return fmt.Errorf("%q is neither a version, an endpoint nor a field", line)
	}
	if product := slices.Index(productNames[:], words[0]); product >= 0 {
		t.Versions[product] = words[1]
		return nil
	}
	t.Endpoints = append(t.Endpoints, Endpoint{Engine: words[0], Path: words[1], segments: strings.Split(words[1], "/")})
	return nil
}

// parseField reads "name kind", or "name kind kind" where the products differ.
func parseField(text string) (Field, error) {
	words := strings.Split(text, " ")
	if len(words) != 2 && len(words) != 3 {
		return Field{}, fmt.Errorf("%q is no field", text)
	}
	f := Field{Name: words[0]}
	for product := range f.Columns {
		word := words[min(product+1, len(words)-1)]
		if word == "-" {
			continue
		}
		name, values, listed := strings.Cut(word, "=")
		kind, known := kindNamed(name)
		if !known {
			return Field{}, fmt.Errorf("%q is no type", name)
		}
		f.Columns[product].Kind = kind
		if listed {
			f.Columns[product].Values = strings.Split(values, "|")
		}
	}
	return f, nil
}

// String returns the table as Parse reads it.
func (t *Table) String() string {
	var b strings.Builder
	b.WriteString("# Names and types of fields, from the servers' own OpenAPI documents (make field-table).\n")
	for product, version := range t.Versions {
		if version != "" {
			fmt.Fprintf(&b, "%s %s\n", productNames[product], version)
		}
	}
	for _, e := range t.Endpoints {
		fmt.Fprintf(&b, "%s %s\n", e.Engine, e.Path)
		for _, f := range e.Fields {
			fmt.Fprintf(&b, "\t%s\n", f)
		}
	}
	return b.String()
}

// String returns the field as it is written in the table.
func (f Field) String() string {
	first, second := f.Columns[Vault].String(), f.Columns[OpenBao].String()
	if first == second {
		return f.Name + " " + first
	}
	return f.Name + " " + first + " " + second
}

// String returns the column as it is written in the table.
func (c Column) String() string {
	switch {
	case c.Kind == None:
		return "-"
	case c.Values == nil:
		return c.Kind.String()
	}
	return c.Kind.String() + "=" + strings.Join(c.Values, "|")
}
