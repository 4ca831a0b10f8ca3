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
	// whole are compared with all that Vault shows, so that a field less is a change.
	whole bool
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

// sections are the top-level keys in the order in which they are written.
func tree(items []*item, s settings, spell *spelling) value {
	root := mappingOf()
	mounts := map[string]*value{}
	spaces := map[string]bool{}
	for _, it := range items { // what holds others comes first
		if it.place[0] == "namespaces" {
			spaces[strings.TrimSuffix(it.name, "/")+"/"] = true
			put(&root, it, spell)
		}
	}
	for _, wanted := range []bool{true, false} {
		for _, it := range items {
			if it.isMount() != wanted || it.place[0] == "namespaces" {
				continue
			}
			within := &root
			if it.ns != "" {
				within = element(root.at("namespaces"), "path", strings.TrimSuffix(it.ns, "/"))
			}
			if it.mount != "" {
				within = nil
				if at, there := mounts[it.holder()]; there {
					within = at
				}
			}
			if within == nil { // what holds it was taken out
				continue
			}
			put(within, it, spell)
		}
		if wanted {
			locate(&root, items, mounts)
		}
	}
	addSettings(&root, s)
	return root
}

// locate finds the mounts in the tree, once all are there: a list that grows moves.
func locate(root *value, items []*item, mounts map[string]*value) {
	for _, it := range items {
		if !it.isMount() {
			continue
		}
		within := root
		if it.ns != "" {
			if within = element(root.at("namespaces"), "path", strings.TrimSuffix(it.ns, "/")); within == nil {
				continue
			}
		}
		path := it.id[strings.Index(it.id[4:], "/")+5:]
		for i := range within.at(it.place[0]).items {
			each := &within.at(it.place[0]).items[i]
			own := each.at("path")
			if own == nil {
				own = each.at("type")
			}
			if own.text == path {
				mounts[it.full()] = each
			}
		}
	}
}

// element finds a mapping in a list by one of its keys.
func element(in *value, key, name string) *value {
	if in == nil {
		return nil
	}
	for i := range in.items {
		if own := in.items[i].at(key); own != nil && own.text == name {
			return &in.items[i]
		}
	}
	return nil
}

// put puts an item where it stands.
func put(within *value, it *item, spell *spelling) {
	body := mappingOf()
	for _, f := range it.fields {
		at, name := &body, f.name
		for {
			outer, inner, nested := strings.Cut(name, " > ")
			if !nested {
				break
			}
			at, name = at.into(outer, mappingOf()), inner
		}
		at.fields = append(at.fields, field{name, f.value})
	}
	for _, step := range it.place[:len(it.place)-1] {
		within = within.into(step, mappingOf())
	}
	last := it.place[len(it.place)-1]
	switch it.shape {
	case bare:
		of := within.into(last, mappingOf())
		of.fields = append(of.fields, field{it.name, it.fields[0].value})
		return
	case single:
		*within.into(last, mappingOf()) = body
		return
	case named:
		if spell.once(it.ns+it.mount+strings.Join(it.place, "/")+"#named", 3) {
			of := within.into(last, mappingOf())
			of.fields = append(of.fields, field{it.name, body})
			return
		}
	}
	if it.label != "" {
		body.fields = append([]field{{it.label, nameOf(it.name)}}, body.fields...)
	}
	of := within.into(last, listOf())
	of.items = append(of.items, body)
}

func addSettings(root *value, s settings) {
	switch {
	case s.purge:
		purge := mappingOf(field{"enabled", truthOf(s.owned)})
		if len(s.exclude) > 0 {
			excluded := mappingOf()
			for _, each := range s.exclude {
				excluded.fields = append(excluded.fields, field{each, truthOf(true)})
			}
			purge.fields = append(purge.fields, field{"exclude", excluded})
		}
		root.fields = append(root.fields, field{"purgeUnmanagedConfig", purge})
	case s.owned:
		root.fields = append(root.fields, field{"prune", nameOf("owned")})
	}
	if len(s.tombstones) > 0 && s.owned {
		graves := listOf()
		for _, each := range s.tombstones {
			grave := mappingOf()
			if each.ns != "" {
				grave.fields = append(grave.fields, field{"namespace", nameOf(strings.TrimSuffix(each.ns, "/"))})
			}
			if path, found := strings.CutPrefix(each.mount, "sys/mounts/"); found {
				grave.fields = append(grave.fields, field{"secrets", nameOf(path)})
			} else if path, found := strings.CutPrefix(each.mount, "sys/auth/"); found {
				grave.fields = append(grave.fields, field{"auth", nameOf(path)})
			}
			grave.fields = append(grave.fields, field{"destroy", truthOf(true)})
			graves.items = append(graves.items, grave)
		}
		root.fields = append(root.fields, field{"tombstones", graves})
	}
	if len(s.harden) > 0 {
		root.fields = append(root.fields, field{"harden", mappingOf(s.harden...)})
	}
	if len(s.login) > 0 {
		root.fields = append(root.fields, field{"login", listOf(mappingOf(s.login...))})
	}
}
