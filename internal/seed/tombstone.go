package seed

import (
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// tombstone is a mount or namespace that is to go with all that it holds.
type tombstone struct {
	id ID
	// ns is the namespace that goes, or that the mount is in, with a slash at its end;
	// empty for a mount of the root.
	ns string
	at value.Position
}

// readTombstone reads what one entry of tombstones says.
func readTombstone(r lang.Record, problems *value.Problems) (t tombstone, ok bool) {
	namespace, secrets, auth := value.TrimPath(r.Text("namespace")), value.TrimPath(r.Text("secrets")), value.TrimPath(r.Text("auth"))
	if secrets != "" && auth != "" || namespace+secrets+auth == "" {
		problems.Add(r.At, "a tombstone names one of secrets and auth, or a namespace")
		return t, false
	}
	if word := value.ReservedNamespace(namespace); word != "" {
		problems.Add(r.At, "the namespace %q cannot be used: %s is Vault's own", namespace, word)
		return t, false
	}
	for _, path := range []string{namespace, secrets, auth} {
		if err := value.CheckPath(path); path != "" && err != nil {
			problems.Add(r.At, "the path %q cannot be used: %s", path, err)
			return t, false
		}
	}
	if !r.Yes("destroy") {
		problems.Add(r.At, "a tombstone says destroy: true, since all that the mount or namespace holds is lost")
		return t, false
	}
	t.at = r.At
	if namespace != "" {
		t.ns = namespace + "/"
	}
	switch {
	case secrets != "":
		t.id = ID(t.ns + "sys/mounts/" + secrets)
	case auth != "":
		t.id = ID(t.ns + "sys/auth/" + auth)
	default:
		t.id = ID("sys/namespaces/" + namespace)
	}
	return t, true
}

// takes reports whether id is what the tombstone is for, or a namespace in that: Vault
// may refuse to delete one that holds others.
func (t tombstone) takes(id ID) bool {
	return id == t.id || t.isNamespace() && strings.HasPrefix(string(id), string(t.id)+"/")
}

// holds reports whether o is written into what goes, without being declared to live there:
// a value, a request or an answer that is kept. Mounts within others are not there.
func (t tombstone) holds(o Object, objects []Object) bool {
	content := site{t.ns, strings.TrimPrefix(string(t.id), t.ns)}.content()
	paths := []string{string(o.ID), o.how.write}
	if o.how.saveTo != nil {
		paths = append(paths, o.how.saveTo.path)
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		return o.Mount == "" && strings.HasPrefix(path, content) && !slices.ContainsFunc(objects, func(m Object) bool {
			root := m.ns + strings.TrimPrefix(string(m.ID), m.ns+"sys/mounts/") + "/"
			return m.isMount() && len(root) > len(content) && strings.HasPrefix(path, root)
		})
	})
}

func (t tombstone) isNamespace() bool { return strings.HasPrefix(string(t.id), "sys/namespaces/") }

// TombstoneGrants returns what the tombstones of namespaces, and of mounts in them, need: the
// seed does not declare these any more. Mounts of the root need no grants of their own
// beside those of PolicyGrants, and an exact path would stand in the place of these.
func TombstoneGrants(p Prune) []Grant {
	set := grantSet{}
	for _, t := range p.tombstones {
		path := strings.TrimPrefix(string(t.id), t.ns)
		switch {
		case t.isNamespace():
			set.add(string(t.id), "read", "delete")
			set.add(string(t.id)+"/*", "read", "delete") // those in it, which go before it
		case t.ns != "" && strings.HasPrefix(path, "sys/auth/"):
			set.add(t.ns+"sys/auth", "read")
			set.add(string(t.id), "delete", "sudo")
		case t.ns != "":
			set.add(t.ns+"sys/mounts", "read")
			set.add(string(t.id), "delete")
		}
	}
	return set.sorted()
}

// Prune says what may be deleted.
type Prune struct {
	// Owned is whether objects that we created, and that the seed no longer names, are
	// deleted.
	Owned bool
	// exclude holds the kinds that are left alone all the same.
	exclude    []string
	tombstones []tombstone
}

// excluded reports whether what is at a site is left alone.
func (p Prune) excluded(at site) bool { return slices.ContainsFunc(p.exclude, at.is) }

// buries reports whether id has a tombstone.
func (p Prune) buries(id ID) bool {
	return slices.ContainsFunc(p.tombstones, func(t tombstone) bool { return t.takes(id) })
}
