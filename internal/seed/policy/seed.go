package policy

import (
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// SeedGrants returns what a policy that is made from a seed should grant beside core, which the same
// login carries: what needs says, with a wildcard for the names of roles and users unless it would
// reach what the ceiling forbids. What core grants is left out, and so is what the ceiling forbids.
//
// Of two policies Vault takes the closest path alone, so a path that is named has all that is needed
// there, whatever core grants at a wildcard around it.
func SeedGrants(core []Grant, ceiling Ceiling, declared []object.Object, needs []Grant) []Grant {
	held, set, seen := setOf(core), grantSet{}, map[string]bool{}
	endpoints := make(map[string]string)
	for _, o := range declared {
		if o.Stage == object.StageRoles {
			endpoints[string(o.ID)] = o.Endpoint
		}
	}
	for _, g := range needs {
		path := widen(g.Path, endpoints)
		if ceiling.Forbids(path) != "" {
			path = g.Path
		}
		grant := path + " " + strings.Join(g.Capabilities, " ")
		if seen[grant] || ceiling.Forbids(path) != "" || covered(g.Path, g, held) || covered(path, g, set) {
			continue
		}
		seen[grant] = true
		set.add(path, g.Capabilities...)
	}
	return set.sorted()
}

// DeletionNeeds returns what deleting what the seed no longer names takes, of which only the IDs are
// known.
func DeletionNeeds(gone []object.ID, known object.Sites, prune object.Prune) []Grant {
	set := grantSet{}
	for _, id := range gone {
		at := known.Of(id)
		if prune.Excludes(at) || at.HoldsData() && !prune.HasTombstone(id) {
			continue
		}
		if alias, isAlias := object.ParseAlias(id); isAlias { // found by its owner, and deleted by an ID of Vault's own
			set.add(alias.OwnerPath(), "read")
			set.add(alias.Namespace+"sys/auth", "read")
			set.add(alias.Namespace+"sys/mounts", "read")
			set.add(alias.Namespace+"identity/"+alias.Of+"-alias/id/+", "delete")
			continue
		}
		path := id.CatalogPath()
		if listing, _ := at.Listing(); listing != "" {
			set.add(listing, "read")
			set.add(path, "update")
			if strings.HasSuffix(listing, "sys/audit") {
				set.add(listing, "sudo")
			}
		}
		set.add(path, "read", "delete")
		inner := strings.TrimPrefix(path, at.Namespace)
		if needsSudo(inner) || strings.HasPrefix(inner, "sys/audit/") || strings.HasPrefix(inner, "sys/auth/") {
			set.add(path, "sudo")
		}
	}
	return set.sorted()
}

// Grants reports whether one of granted allows a capability at a path.
func Grants(granted []Grant, path, capability string) bool {
	return covered(path, Grant{path, []string{capability}}, setOf(granted))
}

func setOf(grants []Grant) grantSet {
	set := grantSet{}
	for _, g := range grants {
		set.add(g.Path, g.Capabilities...)
	}
	return set
}
