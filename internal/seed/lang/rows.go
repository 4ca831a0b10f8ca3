package lang

import "strings"

// Row is a key of the language, for those who look it up.
type Row struct {
	// Path is the key's place, such as 'auth.roles'; that of a list is the place in each of its items.
	// A key that only begins as the table says ends with '…'.
	Path     string
	Kind     string
	Required bool
	About    string
	// Values are the texts that are allowed; none if any text is.
	Values []string
	// Example is the YAML after the key, if there is one.
	Example string
	// Open is whether the mapping also takes fields of Vault's own.
	Open bool
}

// Rows returns all keys of the language, each before those in it. What a namespace holds is listed once, at
// the top.
func Rows() []Row { return rowsOf(nil, "", language()) }

func rowsOf(rows []Row, prefix string, keys []key) []Row {
	top := map[string]bool{}
	for _, k := range perNamespace() {
		top[k.name] = true
	}
	for _, k := range keys {
		if prefix == "namespaces." && top[k.name] {
			continue
		}
		name := prefix + k.name
		if k.prefix {
			name += "…"
		}
		rows = append(rows, Row{
			Path: name, Kind: kindNames[k.kind], Required: k.required, About: k.about, Values: k.values, Example: k.example,
			Open: k.open || k.kind == children,
		})
		rows = rowsOf(rows, strings.TrimSuffix(name, "…")+".", k.fields)
	}
	return rows
}
