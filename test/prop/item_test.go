package prop_test

import (
	"slices"
	"strings"
)

// shape is how an item stands in its section.
type shape int

const (
	// listed is a mapping in a list.
	listed shape = iota
	// named is one in a list, or in a mapping from names.
	named
	// single is a mapping under its place, which is the only one there.
	single
	// bare is the value of its one field, under its name.
	bare
)

// spec says how a field is made, and how it can change.
type spec struct {
	name string
	make func(g *generator) value
	// must is a field that every object has. hidden is one that Vault does not show: a change by
	// hand is not seen. fixed is one that cannot change. once is one that is there only with must.
	must, hidden, fixed bool
	// chance is one in how many objects have it; 0 stands for one in three.
	chance int
	// only is the product that takes it.
	only string
}

// item is what one object of a plan is made of.
type item struct {
	// id is what plans call it, without its namespace; ns is that, with a slash at its end.
	id, ns string
	// mount is the ID of the mount that it is below, and place where it stands, from the mount or
	// else from the top of the seed or namespace.
	mount string
	place []string
	shape shape
	// label is the key of its name.
	label, name string
	fields      []field
	specs       []spec
	// needs are the full IDs of what it refers to.
	needs []string

	// engine is the type of a mount.
	engine string
	// stays is what Vault has no way to delete, and kept what is never deleted: values, what is
	// made once, requests. once is what is made once and never changed.
	stays, kept, once bool
	// folds says that Vault takes the name in any letter case, and unread that it is not compared
	// with what Vault shows, so that no change by hand is seen.
	folds, unread bool
	// write is where a change by hand is written. alone is whether a write of one field leaves the
	// others.
	write string
	alone bool
	// excluded is the kind under which purgeUnmanagedConfig leaves it alone.
	excluded string
	// owner and of are those of an alias.
	owner, of string
	// found is what every server has from the start. value is a startup secret, which in an engine
	// of version 2 (second) lies under data. request is a request, and space a namespace.
	found, value, second, request, space bool
	// answered is a request that refers to the answer to another one.
	answered bool
}

// full is the ID with the namespace.
func (it *item) full() string { return it.ns + it.id }

// lower reports whether plans have its name in lower case, as Vault keeps it.
func (it *item) lower() bool {
	return it.place[0] == "policies" || it.place[0] == "users" && it.folds
}

func (it *item) isMount() bool { return it.engine != "" }

// holder is the full ID of its mount; "" if it is below none.
func (it *item) holder() string {
	if it.mount == "" {
		return ""
	}
	return it.ns + it.mount
}

func (it *item) copy() *item {
	twin := *it
	twin.fields = slices.Clone(it.fields)
	return &twin
}

// field returns the value of a field; nil if it is not there.
func (it *item) field(name string) *value {
	for i := range it.fields {
		if it.fields[i].name == name {
			return &it.fields[i].value
		}
	}
	return nil
}

func (it *item) spec(name string) spec {
	for _, each := range it.specs {
		if each.name == name {
			return each
		}
	}
	return spec{name: name, fixed: true}
}

// settings are what a seed says besides objects.
type settings struct {
	owned, purge bool
	exclude      []string
	tombstones   []tombstone
	harden       []field
	login        []field
}

// tombstone is permission to delete a mount, or a namespace where mount is empty.
type tombstone struct{ ns, mount string }

// id is the full ID of what it is for.
func (t tombstone) id() string {
	if t.mount == "" {
		return namespaceID(t.ns)
	}
	return t.ns + t.mount
}

// namespaceID is the full ID of a namespace, whose path ends with a slash.
func namespaceID(path string) string {
	path = strings.TrimSuffix(path, "/")
	within, last := "", path
	if at := strings.LastIndex(path, "/"); at >= 0 {
		within, last = path[:at+1], path[at+1:]
	}
	return within + "sys/namespaces/" + last
}
