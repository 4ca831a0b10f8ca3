package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// OwnGrants returns what the program's own policy should allow: what objects need, and every other
// object of the kinds that a seed declares, so that a seed can grow without a wider policy. Mounts
// at paths of several segments are listed one by one, since Vault's policies have no wildcard for
// 'any number of segments, then this one'.
//
// prune adds the deletion of mounts and audit devices. Deleting smaller objects is always granted,
// so that a seed can start to prune.
func OwnGrants(objects []object.Object, prune bool) []Grant {
	set := grantSet{}
	for _, g := range standingGrants(prune) {
		set.add(g.Path, g.Capabilities...)
	}
	endpoints := make(map[string]string)
	for _, o := range objects {
		if o.Stage == object.StageRoles {
			endpoints[string(o.ID)] = o.Endpoint
		}
	}
	seen := map[string]bool{} // thousands of roles widen to the same few grants
	for _, g := range Needs(objects, prune) {
		path := widen(g.Path, endpoints)
		grant := path + " " + strings.Join(g.Capabilities, " ")
		if seen[grant] || covered(path, g, set) {
			continue
		}
		seen[grant] = true
		set.add(path, g.Capabilities...)
	}
	return set.sorted()
}

// standingGrants returns what every seed needs sooner or later.
func standingGrants(prune bool) []Grant {
	document := []string{"create", "read", "update", "delete"}
	system := []string{"read", "update", "delete"}
	mounts := []string{"update"}
	if prune {
		mounts = append(mounts, "delete")
	}
	return []Grant{
		{"sys/audit", []string{"read", "sudo"}},
		{"sys/audit/*", append([]string{"sudo"}, mounts...)},
		{"sys/auth", []string{"read"}},
		{"sys/auth/*", append([]string{"sudo"}, mounts...)},
		{"sys/mounts", []string{"read"}},
		{"sys/mounts/*", mounts},
		{"sys/policies/acl/*", system},
		{"sys/policies/password/*", system},
		{"sys/plugins/catalog", []string{"read"}},
		{"sys/plugins/catalog/*", append([]string{"sudo"}, system...)},
		{"sys/quotas/config", []string{"read", "update"}},
		{"sys/quotas/rate-limit/+", system},
		{"sys/config/cors", append([]string{"sudo"}, system...)},
		{"sys/config/ui/headers/+", append([]string{"sudo"}, system...)},
		{"identity/entity/name/+", system},
		{"identity/group/name/+", system},
		{"identity/entity-alias", []string{"update"}},
		{"identity/entity-alias/id/+", []string{"delete"}},
		{"identity/group-alias", []string{"update"}},
		{"identity/group-alias/id/+", []string{"delete"}},
		{"auth/+/config", document},
		{"auth/+/config/+", document},
		// One segment only: below a role are its credentials, which are not ours.
		{"auth/+/role/+", document},
		{"auth/+/users/+", document},
		{"auth/+/groups/+", document},
		{"auth/token/roles/+", document},
	}
}

// widen replaces the name of a role or user with a wildcard. endpoints holds the endpoints of all
// objects that are applied as roles.
func widen(path string, endpoints map[string]string) string {
	endpoint, isRole := endpoints[path]
	// An object without a name is the only one of its kind.
	if !isRole || strings.HasSuffix(endpoint, path[strings.LastIndexByte(path, '/'):]) {
		return path
	}
	return path[:strings.LastIndexByte(path, '/')] + "/+"
}

// covered reports whether a grant of the set, as a wildcard, already allows g.
func covered(path string, g Grant, set grantSet) bool {
	for pattern, capabilities := range set {
		if !acl.Matches(pattern, path) {
			continue
		}
		if !slices.ContainsFunc(g.Capabilities, func(c string) bool { return !capabilities[c] }) {
			return true
		}
	}
	return false
}

// TombstoneGrants returns what the tombstones of namespaces, and of mounts in them, need, since the
// seed no longer declares these. Mounts in the root namespace need no grants besides those of
// OwnGrants, which an exact path would override.
func TombstoneGrants(p object.Prune) []Grant {
	set := grantSet{}
	for _, t := range p.Tombstones {
		path := strings.TrimPrefix(string(t.ID), t.Namespace)
		switch {
		case t.IsNamespace():
			set.add(string(t.ID), "read", "delete")
			set.namespacesIn(t.Site().Content())
		case t.Namespace != "" && strings.HasPrefix(path, "sys/auth/"):
			set.add(t.Namespace+"sys/auth", "read")
			set.add(string(t.ID), "delete", "sudo")
		case t.Namespace != "":
			set.add(t.Namespace+"sys/mounts", "read")
			set.add(string(t.ID), "delete")
		}
	}
	return set.sorted()
}

// tombstoneDepth is how many levels of namespaces in one with a tombstone can be deleted that the
// seed does not name: a policy has no wildcard for any number of names.
const tombstoneDepth = 3

// namespacesIn adds what finding and deleting the namespaces in one takes, given its path with a
// trailing slash.
func (s grantSet) namespacesIn(path string) {
	for range tombstoneDepth {
		s.add(path+"sys/namespaces/", "list")
		s.add(path+"sys/namespaces/+", "read", "delete")
		path += "+/"
	}
}

// HCL returns grants as a policy. The text is deterministic.
//
// The paths in protected can be read but not written, whatever grants says, and nothing below them
// can be reached: in Vault an exact path takes precedence over a wildcard. This guards against
// accidents only: whoever may write policies can write one that allows more. An explicit grant
// below a protected path is kept.
func HCL(grants []Grant, protected []string) string {
	set := grantSet{}
	for _, g := range grants {
		set.add(g.Path, g.Capabilities...)
	}
	for _, path := range protected {
		set[path] = map[string]bool{"read": true}
		// There is nothing below a policy; below a role are its credentials.
		if strings.HasPrefix(path, "auth/") {
			set[path+"/*"] = map[string]bool{"deny": true}
		}
	}
	var b strings.Builder
	for i, g := range set.sorted() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "path %q {\n  capabilities = [\"%s\"]\n}\n", g.Path, strings.Join(g.Capabilities, `", "`))
	}
	return b.String()
}
