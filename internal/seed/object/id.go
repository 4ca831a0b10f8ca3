package object

import (
	"net/url"
	"path"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// parts splits the ID of an object at one of Vault's own paths into the namespace, with a trailing
// slash, and the rest. Names further on may look like such paths, too; a namespace cannot.
func (id ID) parts() (ns, path string) {
	before := 0
	for segment := range strings.SplitSeq(string(id), "/") {
		if segment == "auth" || segment == "identity" || segment == "sys" {
			return string(id[:before]), string(id[before:])
		}
		before += len(segment) + 1
	}
	return "", string(id)
}

// CatalogPath returns the path at which a plugin is read and deleted; for other IDs that is the ID
// itself. In Vault 1.21 the version is a parameter: without it, Vault uses the plugin of that name
// that has no version.
func (id ID) CatalogPath() string {
	path := string(id)
	if at := strings.LastIndexByte(path, '@'); id.IsPlugin() && at > strings.LastIndexByte(path, '/') {
		return path[:at] + "?version=" + url.QueryEscape(path[at+1:])
	}
	return path
}

// canonicalVersion returns a version as Vault writes it, with a v and three numbers.
func canonicalVersion(version string) string {
	core, suffix := strings.TrimPrefix(version, "v"), ""
	if i := strings.IndexAny(core, "-+"); i >= 0 {
		core, suffix = core[:i], core[i:]
	}
	for range 2 - strings.Count(core, ".") {
		core += ".0"
	}
	return "v" + core + suffix
}

// Alias is the parsed ID of an alias: its namespace, whether it belongs to an entity or a group,
// the owner's name, its own name and the path of the auth method.
type Alias struct{ Namespace, Of, Owner, Name, Mount string }

// ParseAlias parses id if it is that of an alias.
func ParseAlias(id ID) (alias Alias, isAlias bool) {
	ns, own := id.parts()
	for _, of := range []string{"entity", "group"} {
		rest, found := strings.CutPrefix(own, "identity/"+of+"-alias/")
		parts := strings.SplitN(rest, "/", 3)
		if !found || len(parts) != 3 {
			continue
		}
		owner, ownerErr := url.PathUnescape(parts[0])
		name, nameErr := url.PathUnescape(parts[1])
		return Alias{ns, of, owner, name, parts[2]}, ownerErr == nil && nameErr == nil
	}
	return Alias{}, false
}

// OwnerPath returns the path of the entity or group.
func (p Alias) OwnerPath() string { return p.Namespace + "identity/" + p.Of + "/name/" + p.Owner }

// Targets returns the IDs of the objects that could hold what p refers to in a namespace.
func Targets(p value.Part, ns string) []ID {
	switch p.Call {
	case value.CallAccessor:
		return []ID{ID(ns + "sys/auth/" + value.TrimPath(p.Args[0])), ID(ns + "sys/mounts/" + value.TrimPath(p.Args[0]))}
	case value.CallEntity, value.CallGroup:
		return []ID{ID(ns + "identity/" + p.Call + "/name/" + strings.ToLower(p.Args[0]))}
	case value.CallVault:
		return []ID{ID(ns + p.Args[0])}
	}
	return nil
}

// Listed returns the path of the listing that contains the name of o if o exists; "" if there is
// none that our policy lets us read.
func (o Object) Listed() string {
	parent, name := path.Split(o.ReadPath())
	parent = strings.TrimSuffix(parent, "/")
	if name == "" || strings.Contains(name, "?") || o.IsRequest() {
		return ""
	}
	switch at := strings.TrimPrefix(parent, o.Namespace); {
	case at == "sys/policies/acl", at == "sys/policies/password":
		return parent
	case strings.HasPrefix(at, "auth/") && path.Base(at) == "role":
		return parent
	default:
		return ""
	}
}
