package policy

import (
	"path"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// overServer are the paths that no policy made from a seed names: they seal the server, exchange or
// reveal its keys, replace its storage, or move what it holds. The seed is not where anybody would
// look for that.
var overServer = []string{
	"sys/raw*", "sys/seal", "sys/step-down", "sys/generate-root*", "sys/rekey*", "sys/rotate*",
	"sys/storage/raft/snapshot*", "sys/remount", "sys/remount/*", "sys/leases/revoke-force*", "sys/revoke-force*",
}

// Ceiling is what a policy that is made from a seed, and that our login may write, never names. The
// zero value holds what concerns the server as a whole.
type Ceiling struct {
	// own are the paths of what this program logs in with, as policies write them.
	own []string
	// spaces are the namespaces of the seed, each with a trailing slash.
	spaces []string
}

// NewCeiling returns the ceiling of a seed's policy. own are the policies, roles and mounts that
// this program logs in with.
func NewCeiling(own, declared []object.Object) Ceiling {
	var c Ceiling
	for _, o := range own {
		id := string(o.ID)
		switch {
		case o.Stage == object.StagePolicies:
			c.own = append(c.own, id, "sys/policy/"+strings.TrimPrefix(id, "sys/policies/acl/"))
		case o.Stage == object.StageRoles:
			c.own = append(c.own, id, id+"/*")
		case o.IsMount():
			mount := strings.TrimPrefix(id, "sys/")
			c.own = append(c.own, id, id+"/*", "sys/mounts/"+mount, "sys/mounts/"+mount+"/*", mount+"/login*")
		}
	}
	for _, o := range declared {
		if ns := spaceOf(o); ns != "" && !slices.Contains(c.spaces, ns) {
			c.spaces = append(c.spaces, ns)
		}
	}
	return c
}

// spaceOf returns the namespace that o is or is in, with a trailing slash; empty for the root.
func spaceOf(o object.Object) string {
	if inner := o.NamespacePath(); inner != "" {
		return inner + "/"
	}
	return o.Namespace
}

// Forbids returns which path of the ceiling a rule for written would match; empty for none. A
// wildcard that would match such a path counts as naming it.
func (c Ceiling) Forbids(written string) string {
	written = normal(written)
	for _, forbidden := range c.own {
		// Vault ignores the case of policies' names, and of most roles' and users'.
		if overlap(strings.ToLower(written), strings.ToLower(forbidden)) {
			return forbidden
		}
	}
	for _, inside := range append([]string{""}, c.spaces...) {
		rest, is := strings.CutPrefix(written, inside)
		if !is {
			continue
		}
		for _, forbidden := range overServer {
			if overlap(rest, forbidden) {
				return inside + forbidden
			}
		}
	}
	return ""
}

// Check reports the objects of a seed that need what the ceiling forbids. What core grants already
// needs no place in the seed's policy.
func (c Ceiling) Check(core []Grant, declared []object.Object, problems *value.Problems) {
	held := setOf(core)
	for _, o := range declared {
		for _, need := range Needs([]object.Object{o}, false) {
			if covered(need.Path, need, held) {
				continue
			}
			if at := c.Forbids(need.Path); at != "" {
				problems.Add(o.Position, "%s needs %s at %s, which a policy made from a seed never grants (%s)", o.ID, strings.Join(need.Capabilities, ", "), need.Path, at)
			}
		}
	}
}

// normal normalizes a path as it may be written: without slashes at its ends, empty names and v1/.
func normal(written string) string {
	return strings.TrimPrefix(strings.Trim(path.Clean("/"+written), "/"), "v1/")
}

// overlap reports whether there is a request that the paths of two rules both match: + stands for
// one name, a * at the end for anything.
func overlap(a, b string) bool {
	a, anyA := strings.CutSuffix(a, "*")
	b, anyB := strings.CutSuffix(b, "*")
	for {
		x, restA, moreA := strings.Cut(a, "/")
		y, restB, moreB := strings.Cut(b, "/")
		openA, openB := anyA && !moreA, anyB && !moreB
		switch {
		case openA && openB:
			return x == "+" || y == "+" || strings.HasPrefix(x, y) || strings.HasPrefix(y, x)
		case openA:
			return y == "+" || x == "+" || strings.HasPrefix(y, x)
		case openB:
			return x == "+" || y == "+" || strings.HasPrefix(x, y)
		case x != y && x != "+" && y != "+":
			return false
		case !moreA || !moreB:
			return moreA == moreB
		}
		a, b = restA, restB
	}
}

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
