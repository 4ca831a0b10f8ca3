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
