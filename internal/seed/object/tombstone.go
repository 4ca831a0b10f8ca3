package object

import (
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Tombstone is for a mount or namespace that is to be deleted with everything in it.
type Tombstone struct {
	ID ID
	// Namespace is the namespace to delete, or that of the mount, with a trailing slash; empty for
	// a mount in the root namespace.
	Namespace string
	Position  value.Position
}

// Takes reports whether the tombstone is for id, or for a namespace around it: Vault may refuse to
// delete a namespace that contains others.
func (t Tombstone) Takes(id ID) bool {
	return id == t.ID || t.IsNamespace() && strings.HasPrefix(string(id), string(t.ID)+"/")
}

// Holds reports whether o is written into what is to be deleted, without being declared below it: a
// value, a request or an answer that is kept. Nested mounts do not count.
func (t Tombstone) Holds(o Object, objects []Object) bool {
	content := Site{t.Namespace, strings.TrimPrefix(string(t.ID), t.Namespace)}.Content()
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
func (t Tombstone) IsNamespace() bool { return strings.HasPrefix(string(t.ID), "sys/namespaces/") }

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
