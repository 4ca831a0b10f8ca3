package object

import (
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Tombstone is for a mount or namespace that is to be deleted with everything in it.
type Tombstone struct {
	ID ID
	// Namespace is the namespace that it is in, with a trailing slash, or empty.
	Namespace string
	Position  value.Position
}

// Site returns the parsed ID.
func (t Tombstone) Site() Site {
	return Site{t.Namespace, strings.TrimPrefix(string(t.ID), t.Namespace)}
}

// Takes reports whether the tombstone is for id, or for a namespace around the namespace id: a
// namespace that contains others cannot be deleted.
func (t Tombstone) Takes(id ID) bool {
	if id == t.ID {
		return true
	}
	around, path := id.parts()
	return t.IsNamespace() && strings.HasPrefix(path, namespaces) && strings.HasPrefix(around, t.Site().Content())
}

// Holds reports whether o is written into what is to be deleted, without being declared below it: a
// value, a request or an answer that is kept. Nested mounts do not count.
func (t Tombstone) Holds(o Object, objects []Object) bool {
	content := t.Site().Content()
	paths := []string{string(o.ID), o.Traits.Write}
	if o.Traits.SaveTo != nil {
		paths = append(paths, o.Traits.SaveTo.Path)
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		return o.Mount == "" && strings.HasPrefix(path, content) && !slices.ContainsFunc(objects, func(m Object) bool {
			root := m.Namespace + strings.TrimPrefix(string(m.ID), m.Namespace+"sys/mounts/") + "/"
			return m.IsMount() && len(root) > len(content) && strings.HasPrefix(path, root)
		})
	})
}

// IsNamespace reports whether t is for a namespace.
func (t Tombstone) IsNamespace() bool { return t.Site().isNamespace() }

// Prune says what may be deleted.
type Prune struct {
	// Owned is whether objects that we created, and that the seed no longer names, are
	// deleted.
	Owned bool
	// Exclude holds the kinds that are left alone all the same.
	Exclude    []string
	Tombstones []Tombstone
}

// Excludes reports whether the object at a site is left alone.
func (p Prune) Excludes(at Site) bool { return slices.ContainsFunc(p.Exclude, at.Is) }

// HasTombstone reports whether id has a tombstone.
func (p Prune) HasTombstone(id ID) bool {
	return slices.ContainsFunc(p.Tombstones, func(t Tombstone) bool { return t.Takes(id) })
}
