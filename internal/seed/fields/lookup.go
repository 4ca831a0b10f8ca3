package fields

import "strings"

// Known reports whether the table has an engine: auth/TYPE, or the type of a secrets engine.
func (t *Table) Known(engine string) bool {
	_, known := t.engines[engine]
	return known
}

// At returns the endpoint of an engine that a path below its mount leads to.
func (t *Table) At(engine, path string) (Endpoint, bool) {
	span := t.engines[engine]
	endpoints := t.Endpoints[span[0]:span[1]]
	segments := strings.Split(path, "/")
	best, fewest := -1, len(segments)+1
	for i, e := range endpoints {
		// A path is that of the endpoint which spells out most of it.
		if names, fits := match(e.segments, segments); fits && names < fewest {
			best, fewest = i, names
		}
	}
	if best < 0 {
		return Endpoint{}, false
	}
	return endpoints[best], true
}

// match reports whether a path fits a pattern, and how many of its segments are names. The last name
// of a pattern may have slashes in it, as that of an ldap group.
func match(pattern, segments []string) (names int, fits bool) {
	if len(segments) < len(pattern) || len(segments) > len(pattern) && pattern[len(pattern)-1] != "+" {
		return 0, false
	}
	for i, part := range pattern {
		switch part {
		case "+":
			names++
		case segments[i]:
		default:
			return 0, false
		}
	}
	return names + len(segments) - len(pattern), true
}

// Field returns the field name of the endpoint.
func (e Endpoint) Field(name string) (Field, bool) {
	for _, f := range e.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// names returns the names of all fields of the endpoint besides those in its path.
func (e Endpoint) names() []string {
	var names []string
	for _, f := range e.Fields {
		if f.Columns[Vault].Kind != Name && f.Columns[OpenBao].Kind != Name {
			names = append(names, f.Name)
		}
	}
	return names
}
