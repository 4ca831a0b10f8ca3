package object

import (
	"slices"
	"strings"
)

// Site is an ID taken apart: the namespace with a slash at its end, or empty, and the
// API path in it.
type Site struct{ Namespace, Path string }

// Sites takes IDs apart of which nothing else is known, such as those in the ledger.
// An ID alone does not say where its namespace ends: team/kv/config may be that of the
// engine kv in the namespace team, or of the engine team/kv. So it holds the beginnings
// of IDs that are known, each with the namespace that it stands for.
type Sites map[string]string

// SitesOf returns the sites of what we created and of what the seed declares and buries:
// their namespaces and root mounts are known.
func SitesOf(owned []ID, objects []Object, tombstones []Tombstone) Sites {
	known := Sites{}
	ids := slices.Clone(owned)
	for _, o := range objects {
		ids = append(ids, o.ID)
	}
	// A namespace and a root mount of one path cannot be at the same time. What protects
	// more is taken for what is there.
	for _, learn := range []func(ID){known.learnMount, known.learnNamespace} {
		for _, id := range ids {
			learn(id)
		}
	}
	for _, t := range tombstones {
		if t.Namespace != "" {
			known[t.Namespace] = t.Namespace
		}
	}
	return known
}

func (s Sites) learnNamespace(id ID) {
	if path, ok := strings.CutPrefix(string(id), "sys/namespaces/"); ok {
		s[path+"/"] = path + "/"
	}
}

func (s Sites) learnMount(id ID) {
	if path, ok := strings.CutPrefix(string(id), "sys/mounts/"); ok {
		s[path+"/"] = ""
	}
}

// Of takes id apart. A namespace that is not known ends where Vault's own paths begin.
func (s Sites) Of(id ID) Site {
	text, ns, known := string(id), "", false
	for i, char := range text {
		if char != '/' {
			continue
		}
		if its, ok := s[text[:i+1]]; ok {
			ns, known = its, true
		}
		if !known && !systemPath(text) && systemPath(text[i+1:]) {
			ns, known = text[:i+1], true
		}
	}
	return Site{ns, strings.TrimPrefix(text, ns)}
}

// systemPath reports whether a path in a namespace is that of no secrets engine.
func systemPath(path string) bool {
	return strings.HasPrefix(path, "sys/") || strings.HasPrefix(path, "auth/") || strings.HasPrefix(path, "identity/")
}

// Is reports whether what is there is of a kind that can be excluded from purging.
func (s Site) Is(kind string) bool {
	if kind == "secrets" && !systemPath(s.Path) {
		return true
	}
	prefixes := map[string][]string{
		"audit": {"sys/audit/"}, "auth": {"sys/auth/", "auth/"}, "groups": {"identity/group/"}, "group-aliases": {"identity/group-alias/"},
		"plugins": {"sys/plugins/"}, "policies": {"sys/policies/acl/"}, "secrets": {"sys/mounts/"},
	}
	for _, prefix := range prefixes[kind] {
		if strings.HasPrefix(s.Path, prefix) {
			return true
		}
	}
	return false
}

// Listing returns the listing that shows a mount or audit device.
func (s Site) Listing() (listing string, isMount bool) {
	for _, listing := range []string{"sys/auth", "sys/mounts", "sys/audit"} {
		if strings.HasPrefix(s.Path, listing+"/") {
			return s.Namespace + listing, listing != "sys/audit"
		}
	}
	return "", false
}

// HoldsData reports whether more than we know of may go with what is there.
func (s Site) HoldsData() bool {
	_, isMount := s.Listing()
	return isMount || s.isNamespace()
}

func (s Site) isNamespace() bool { return strings.HasPrefix(s.Path, "sys/namespaces/") }

// Content returns the beginning of the IDs of what lies in a mount or namespace.
func (s Site) Content() string {
	if path, isAuth := strings.CutPrefix(s.Path, "sys/auth/"); isAuth {
		return s.Namespace + "auth/" + path + "/"
	}
	return s.Namespace + strings.TrimPrefix(strings.TrimPrefix(s.Path, "sys/namespaces/"), "sys/mounts/") + "/"
}

// DeletionOrder returns when what is there is deleted: namespaces first, inner ones
// before those that they are in; mounts last, since aliases, which outlive their auth
// method, are found by it.
func (s Site) DeletionOrder() int {
	_, isMount := s.Listing()
	switch {
	case s.isNamespace():
		return -strings.Count(s.Path, "/")
	case isMount:
		return 1
	}
	return 0
}
