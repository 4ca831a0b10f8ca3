package prop_test

import "strings"

// tree is a seed of objects and settings.
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
