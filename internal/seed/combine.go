package seed

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Objects returns the desired objects with all references resolved. Every
// reference that has no value is told, in one fault of kind fault.Seed.
func (s *Seed) Objects(ctx context.Context, resolver Resolver) ([]object.Object, error) {
	r := &resolving{Resolver: resolver, ctx: ctx, problems: &value.Problems{}}
	objects := slices.Clone(s.objects)
	for i := range objects {
		o := &objects[i]
		o.Data = r.resolve(o.Data)
		if o.Traits.Extra != nil {
			o.Traits.Extra = r.resolve(o.Traits.Extra)
		}
		if unless := o.Traits.Unless; unless != nil && unless.Value != nil {
			resolved := *unless
			resolved.Value = r.value(unless.Value)
			o.Traits.Unless = &resolved
		}
	}
	if r.trouble != nil {
		return nil, r.trouble
	}
	if err := r.problems.Err(r.remedy("Set the variable or provide the file or object where this program runs, or correct the reference.")); err != nil {
		return nil, err
	}
	return objects, policy.CheckResolved(objects)
}

// Combine joins the program's own objects with those that the seed declares.
//
// A mount or configuration that both name is the seed's, provided that the type is
// the same: an existing setup stays as its owner wrote it. The program's own
// policies and roles are its way in, so a seed that names one is refused, and so is a
// request that writes to one or to the mount, by whatever path.
func Combine(own, declared []object.Object) ([]object.Object, error) {
	problems := &value.Problems{}
	places := make(map[object.ID]object.Object, len(declared))
	for _, o := range declared {
		places[o.Place()] = o
	}
	combined := slices.Clone(declared)
	for _, o := range own {
		other, taken := places[o.Place()]
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
		if own := paths.reaches(o); o.IsRequest() && own != "" {
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

// clashes returns the mounts that Vault would refuse for their place alone.
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

// withoutClash returns an error that names the mounts and audit devices for which
// there is no room beside one that is there and that the seed does not name.
func (l *live) withoutClash() error {
	problems := &value.Problems{}
	for _, o := range l.objects {
		listing, path := o.Table()
		table := l.tables[listing]
		if _, there := table[path]; listing == "" || there {
			continue
		}
		for _, other := range slices.Sorted(maps.Keys(table)) {
			switch {
			case strings.HasPrefix(path+"/", other+"/"):
				problems.Add(o.Position, "%s lies below %s/%s, which is there: Vault has no mount within a mount", o.ID, listing, other)
			case strings.HasPrefix(other+"/", path+"/"):
				problems.Add(o.Position, "%s lies above %s/%s, which is there: Vault has no mount within a mount", o.ID, listing, other)
			}
		}
	}
	return problems.Err("Choose another path in the seed, or disable what is in its place by hand, with all that it holds.")
}

// missingMounts returns an error that names the objects whose mount is neither
// declared nor there.
func missingMounts(objects []object.Object, there func(object.ID) bool) error {
	declared := map[object.ID]bool{}
	for _, o := range objects {
		declared[o.ID] = true
	}
	problems := &value.Problems{}
	for _, o := range objects {
		if o.Mount != "" && !declared[o.Mount] && !there(o.Mount) {
			problems.Add(o.Position, "%s needs %s, which is neither declared nor there", o.ID, o.Mount)
		}
		// What Vault makes up is shown once: where it goes is looked at before.
		if to := o.Traits.SaveTo; to != nil && !slices.ContainsFunc(to.Mounts(o.Namespace), func(id object.ID) bool { return declared[id] || there(id) }) {
			problems.Add(o.Position, "save_to of %s is %s, which lies in no secrets engine that is declared or there", o.ID, to.Path)
		}
	}
	return problems.Err("Declare the mount in the seed.")
}
