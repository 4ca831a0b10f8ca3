package object

import (
	"cmp"
	"slices"
	"strings"
)

// Site is a parsed ID: the namespace, with a trailing slash, or empty, and the API path in it.
type Site struct{ Namespace, Path string }

// Sites parses IDs of which nothing else is known, such as those in the ledger. An ID alone does
// not say where its namespace ends: team/kv/config may belong to the engine kv in the namespace
// team, or to the engine team/kv. So Sites holds the known prefixes of IDs, each with its
// namespace.
type Sites map[string]string

// SitesOf returns the sites of what we created, and of what the seed declares or has tombstones
// for: their namespaces and root mounts are known.
func SitesOf(owned []ID, objects []Object, tombstones []Tombstone) Sites {
	known := Sites{}
	ids := slices.Clone(owned)
	for _, o := range objects {
		ids = append(ids, o.ID)
	}
	slices.SortStableFunc(ids, func(a, b ID) int { return cmp.Compare(len(a), len(b)) }) // a namespace after those around it
	// A namespace and a root mount with the same path cannot exist at the same time. The one that
	// protects more is assumed to exist.
	for _, learn := range []func(ID){known.learnMount, known.learnNamespace} {
		for _, id := range ids {
			learn(id)
		}
	}
	for _, t := range tombstones {
		if t.Namespace != "" {
			known[t.Namespace] = t.Namespace
		}
		if t.IsNamespace() {
			known[t.Site().Content()] = t.Site().Content()
		}
	}
	return known
}

func (s Sites) learnNamespace(id ID) {
	if at := s.Of(id); at.isNamespace() {
		s[at.Content()] = at.Content()
	}
}

func (s Sites) learnMount(id ID) {
	if path, ok := strings.CutPrefix(string(id), "sys/mounts/"); ok {
		s[path+"/"] = ""
	}
}

// Of parses id. An unknown namespace ends where Vault's own paths begin.
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

// systemPath reports whether a path in a namespace is not below a secrets engine.
func systemPath(path string) bool {
	return strings.HasPrefix(path, "sys/") || strings.HasPrefix(path, "auth/") || strings.HasPrefix(path, "identity/")
}

// Is reports whether the object is of a kind that can be excluded from pruning.
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

// HoldsData reports whether deleting the object may delete more than we know of.
func (s Site) HoldsData() bool {
	_, isMount := s.Listing()
	return isMount || s.isNamespace()
}

func (s Site) isNamespace() bool { return strings.HasPrefix(s.Path, namespaces) }

// NamespacePath returns the path of the namespace that the object is; empty if it is none.
func (s Site) NamespacePath() string {
	if !s.isNamespace() {
		return ""
	}
	return strings.TrimSuffix(s.Content(), "/")
}

// Content returns the prefix of the IDs of what is in a mount or namespace.
func (s Site) Content() string {
	if path, isAuth := strings.CutPrefix(s.Path, "sys/auth/"); isAuth {
		return s.Namespace + "auth/" + path + "/"
	}
	return s.Namespace + strings.TrimPrefix(strings.TrimPrefix(s.Path, namespaces), "sys/mounts/") + "/"
}

// DeletionOrder returns when the object is deleted: namespaces first, inner ones before outer ones;
// mounts last, since aliases, which outlive their auth method, are found through it.
func (s Site) DeletionOrder() int {
	_, isMount := s.Listing()
	switch {
	case s.isNamespace():
		return -strings.Count(s.Content(), "/")
	case isMount:
		return 1
	}
	return 0
}
