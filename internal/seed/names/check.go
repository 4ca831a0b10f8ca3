package names

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Elsewhere is what exists although a seed does not declare it.
type Elsewhere struct {
	// AuthMethods are the paths of auth methods that the program itself may log in with.
	AuthMethods []string
	// Policies are names of the program's own policies.
	Policies []string
}

// Check returns a warning for each name that objects refer to and that is neither declared nor
// elsewhere, once for each name, with the declared name that is closest.
func Check(objects []object.Object, elsewhere Elsewhere) []value.Problem {
	c := &check{Elsewhere: elsewhere, index: indexOf(objects), met: map[string]bool{}, found: map[string]int{}}
	for _, o := range objects {
		c.object(o)
	}
	return c.warnings
}

// check is one pass over a seed.
type check struct {
	Elsewhere
	index
	// met holds the names that were judged, by what they are of.
	met map[string]bool
	// found counts the names without a declaration, by what they are of.
	found    map[string]int
	warnings []value.Problem
}

// reference is a name in an object.
type reference struct {
	// what it is the name of, such as "policy".
	what string
	name string
	// folders are where it is declared: the ID without the name, with a slash at its end.
	folders []string
	at      value.Position
}

func (c *check) object(o object.Object) {
	c.policies(o)
	c.calls(o)
	c.siblings(o)
	c.quota(o)
	if name, ok := o.Data["password_policy"].(string); ok && o.Mount != "" && name != "" {
		c.refer(o, reference{"password policy", name, []string{o.Namespace + "sys/policies/password/"}, o.Position})
	}
}

// refer adds a warning about a name that is not declared.
func (c *check) refer(o object.Object, r reference) {
	key := r.what + " " + r.folders[0] + strings.ToLower(r.name)
	if c.met[key] {
		return
	}
	c.met[key] = true
	for _, folder := range r.folders {
		if c.declared[canonical(folder+r.name)] {
			return
		}
	}
	// Finding out what is meant is slow with thousands of names.
	c.found[r.what]++
	switch n := c.found[r.what]; {
	case n < value.ProblemLimit:
		c.warn(r.at, "%s: the %s %q is not declared in the seed, so it must exist in Vault already%s", o.ID, r.what, r.name, value.Suggestion(r.name, c.among(r.folders)))
	case n == value.ProblemLimit:
		c.warn(r.at, "%s: the %s %q is not declared in the seed either; further ones are not named", o.ID, r.what, r.name)
	}
}

func (c *check) warn(at value.Position, format string, args ...any) {
	c.warnings = append(c.warnings, value.Problem{Position: at, Text: fmt.Sprintf(format, args...)})
}

// index is what a seed declares.
type index struct {
	// declared holds IDs in lower case: servers ignore the case of many names.
	declared map[string]bool
	// ids are the same as they are written.
	ids []string
}

func indexOf(objects []object.Object) index {
	i := index{declared: make(map[string]bool, len(objects))}
	add := func(id string) {
		i.declared[canonical(id)] = true
		i.ids = append(i.ids, id)
	}
	for _, o := range objects {
		for _, issuer := range issuersOf(o) {
			add(issuer)
		}
		if !o.IsRequest() {
			add(string(o.ID))
			continue
		}
		if !o.Traits.Deletes { // whoever sends a request may make anything
			add(o.Namespace + strings.Replace(strings.TrimPrefix(o.WritePath(), o.Namespace), "sys/policy/", "sys/policies/acl/", 1))
		}
	}
	return i
}

func canonical(id string) string { return strings.ToLower(id) }

// among returns the names that are declared in folders.
func (i index) among(folders []string) []string {
	var names []string
	for _, id := range i.ids {
		for _, folder := range folders {
			if name, is := strings.CutPrefix(id, folder); is && name != "" {
				names = append(names, name)
			}
		}
	}
	return slices.Compact(names)
}
