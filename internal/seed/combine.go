package seed

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Combine joins the program's own objects with those that the seed declares.
//
// If both name a mount or configuration, the seed's is used, provided that the type is the same: an
// existing setup stays as its owner wrote it. The program logs in with its own policies and roles,
// so a seed that names one is refused, and so is a request that writes to one or to the mount, by
// whatever path.
func Combine(own, declared []object.Object) ([]object.Object, error) {
	problems := &value.Problems{}
	byID := make(map[object.ID]object.Object, len(declared))
	for _, o := range declared {
		byID[o.CanonicalID()] = o
	}
	combined := slices.Clone(declared)
	for _, o := range own {
		other, taken := byID[o.CanonicalID()]
		switch {
		case !taken:
			combined = append(combined, o)
		case o.Stage == object.StageRoles || o.Stage == object.StagePolicies:
			problems.Add(other.Position, "%s is what this program itself logs in with; use another name", other.ID)
		case other.Type != o.Type:
			problems.Add(other.Position, "%s is of type %q here, but this program's own login needs %q there; use another path", o.ID, other.Type, o.Type)
		}
	}
	paths := ownPathsOf(own)
	for _, o := range declared {
		if !o.IsRequest() { // its ID is its path
			continue
		}
		if own := paths.reaches(o); own != "" {
			problems.Add(o.Position, "%s changes %s, which this program itself logs in with", o.ID, own)
		}
	}
	for _, clash := range clashes(combined) {
		problems.Add(clash.inner.Position, "%s lies below %s (%s): Vault has no mount within a mount", clash.inner.ID, clash.outer.ID, clash.outer.Position)
	}
	if err := problems.Err("Correct the seed, or choose another mount for this program's own login."); err != nil {
		return nil, err
	}
	return combined, nil
}

// clash is a mount or audit device whose path lies below another's.
type clash struct{ outer, inner object.Object }

// clashes returns the mounts that Vault would refuse because of their path alone.
func clashes(objects []object.Object) []clash {
	var mounts []object.Object
	for _, o := range objects {
		if o.IsMount() || o.IsAudit() {
			mounts = append(mounts, o)
		}
	}
	slices.SortFunc(mounts, func(a, b object.Object) int { return cmp.Compare(a.ID+"/", b.ID+"/") })
	var found []clash
	for i := 0; i < len(mounts); {
		outer := mounts[i]
		for i++; i < len(mounts) && strings.HasPrefix(string(mounts[i].ID), string(outer.ID)+"/"); i++ {
			found = append(found, clash{outer, mounts[i]})
		}
	}
	return found
}

// checkNesting reports mounts whose path is below that of another.
func (b *builder) checkNesting(problems *value.Problems) {
	for _, clash := range clashes(b.objects) {
		problems.Add(clash.inner.Position, "%s lies below %s (declared at %s): Vault has no mount within a mount",
			clash.inner.ID, clash.outer.ID, clash.outer.Position)
	}
}
