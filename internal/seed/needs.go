package seed

import (
	"cmp"
	"slices"
	"strings"
)

// Grant is a path of Vault's API and what a token may do there.
type Grant struct {
	Path         string
	Capabilities []string
}

// capabilityOrder is the order in which capabilities are written.
var capabilityOrder = []string{"create", "read", "update", "patch", "delete", "list", "sudo", "deny"}

// Needs returns exactly what reading, planning and applying objects needs, by
// concrete path, sorted: sys/capabilities-self can answer for each of them.
//
// On Vault 1.21 sudo is asked for at sys/audit, sys/audit/* and sys/auth/*, reading
// included. The listings sys/auth and sys/mounts and all of sys/mounts/* need none.
// Endpoints of sys tell no create from update: they take update alone.
func Needs(objects []Object) []Grant {
	set := grantSet{}
	set.add("auth/token/lookup-self", "read")
	set.add("auth/token/revoke-self", "update")
	set.add("sys/capabilities-self", "update")
	for _, o := range objects {
		id := string(o.ID)
		switch listing, _ := o.table(); listing {
		case "sys/audit":
			set.add(listing, "read", "sudo")
			set.add(id, "update", "sudo")
		case "sys/auth":
			set.add(listing, "read")
			set.add(id, "update", "sudo")
			set.add(id+"/tune", "update", "sudo")
		case "sys/mounts":
			set.add(listing, "read")
			set.add(id, "update")
			set.add(id+"/tune", "update")
		default:
			set.document(o)
		}
	}
	return set.sorted()
}

// PolicyGrants returns what the program's own policy should allow: what objects
// need, and every other object of the kinds that a seed declares, so that a seed can
// grow without a wider policy. Mounts at paths of several names are named one by one,
// since Vault's policies have no wildcard for 'any number of names, then this one'.
func PolicyGrants(objects []Object) []Grant {
	set := grantSet{}
	for _, g := range standing() {
		set.add(g.Path, g.Capabilities...)
	}
	for _, g := range Needs(objects) {
		if path := widen(g.Path, objects); !covered(path, g, set) {
			set.add(path, g.Capabilities...)
		}
	}
	return set.sorted()
}

// standing returns what every seed needs sooner or later.
func standing() []Grant {
	document := []string{"create", "read", "update"}
	return []Grant{
		{"sys/audit", []string{"read", "sudo"}},
		{"sys/audit/*", []string{"update", "sudo"}},
		{"sys/auth", []string{"read"}},
		{"sys/auth/*", []string{"update", "sudo"}},
		{"sys/mounts", []string{"read"}},
		{"sys/mounts/*", []string{"update"}},
		{"sys/policies/acl/*", []string{"read", "update"}},
		{"auth/+/config", document},
		{"auth/+/config/+", document},
		// One name only: below a role lie its credentials, which are not ours.
		{"auth/+/role/+", document},
		{"auth/+/users/+", document},
		{"auth/token/roles/+", document},
	}
}

// widen replaces the name of a role or user by a wildcard.
func widen(path string, objects []Object) string {
	i := slices.IndexFunc(objects, func(o Object) bool { return string(o.ID) == path && o.Stage == StageRoles })
	if i < 0 {
		return path
	}
	return path[:strings.LastIndexByte(path, '/')] + "/+"
}

// covered reports whether a grant of the set, which is a wildcard, allows g already.
func covered(path string, g Grant, set grantSet) bool {
	for pattern, capabilities := range set {
		if !matches(pattern, path) {
			continue
		}
		if !slices.ContainsFunc(g.Capabilities, func(c string) bool { return !capabilities[c] }) {
			return true
		}
	}
	return false
}

// matches reports whether a path of a policy holds path: + stands for one name, a
// * at the end for anything.
func matches(pattern, path string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok && !strings.Contains(prefix, "+") {
		return strings.HasPrefix(path, prefix)
	}
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, have, func(a, b string) bool { return a == b || a == "+" })
}

// grantSet collects capabilities by path.
type grantSet map[string]map[string]bool

func (s grantSet) add(path string, capabilities ...string) {
	if s[path] == nil {
		s[path] = map[string]bool{}
	}
	for _, c := range capabilities {
		s[path][c] = true
	}
}

// document adds what an object with a path of its own needs.
func (s grantSet) document(o Object) {
	if o.Stage == StagePolicies {
		s.add(string(o.ID), "read", "update")
		return
	}
	if o.Mount != "" {
		s.add("sys/auth", "read")
	}
	s.add(string(o.ID), "create", "read", "update")
}

// sorted returns the grants by path, capabilities in their usual order.
func (s grantSet) sorted() []Grant {
	grants := make([]Grant, 0, len(s))
	for path, set := range s {
		g := Grant{Path: path}
		for _, c := range capabilityOrder {
			if set[c] {
				g.Capabilities = append(g.Capabilities, c)
			}
		}
		grants = append(grants, g)
	}
	slices.SortFunc(grants, func(a, b Grant) int { return cmp.Compare(a.Path, b.Path) })
	return grants
}
