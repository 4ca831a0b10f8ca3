package harden

import (
	"fmt"
	"slices"
)

// Inner is a namespace in the one that is judged.
type Inner struct {
	// Path has no slashes at its ends. It is relative to the namespace that is judged.
	Path string
	// Sealed is whether it has a seal of its own and is sealed: nobody can use what it holds.
	Sealed bool
	// Facts are those of InnerGroups.
	Facts Facts
}

// innerGroups are the facts that every namespace has of its own.
var innerGroups = []Group{GroupMounts, GroupPolicies, GroupPasswords, GroupRoles, GroupTokens}

// InnerGroups returns those of the groups that every namespace has of its own.
func InnerGroups(groups []Group) []Group {
	return slices.DeleteFunc(slices.Clone(groups), func(g Group) bool { return !slices.Contains(innerGroups, g) })
}

// InnerReads returns what a token needs to look into namespaces, given their paths: where their
// own namespaces are, and what each of them holds. An empty path is the namespace that is judged.
func InnerReads(paths ...string) []Grant {
	grants := []Grant{{"sys/namespaces", []string{"list"}}}
	for _, path := range paths {
		grants = append(grants, Within(path, append(Reads(innerGroups...), grants[0]))...)
	}
	return grants
}

// Within returns grants for a namespace, given its path.
func Within(path string, grants []Grant) []Grant {
	inside := make([]Grant, len(grants))
	for i, grant := range grants {
		inside[i] = Grant{path + "/" + grant.Path, grant.Capabilities}
	}
	return inside
}

// everywhere reports whether a control is about what every namespace has of its own.
func (c Control) everywhere() bool {
	return len(c.Groups) > 0 && len(InnerGroups(c.Groups)) == len(c.Groups)
}

// check checks a control, in the inner namespaces, too, if it is about what they have of their own.
func (c Control) check(facts Facts, limits Limits) Finding {
	finding := c.checkHere(facts, limits)
	if !c.everywhere() {
		return finding
	}
	var sealed []string
	for _, inner := range facts.Inner {
		if inner.Sealed {
			sealed = append(sealed, inner.Path)
			continue
		}
		finding = finding.with(inner.Path, c.checkHere(inner.Facts, limits))
	}
	if len(sealed) > 0 {
		finding.Seen += "; not looked into, since sealed: " + listed(sealed)
	}
	return finding
}

// checkHere checks a control in one namespace.
func (c Control) checkHere(facts Facts, limits Limits) Finding {
	finding := c.Check(facts, limits)
	finding.Declared = c.waivers(facts, limits, finding)
	return finding
}

// with adds the finding of an inner namespace. What is to blame is named with its namespace; where
// nothing is known, that is the namespace itself.
func (f Finding) with(namespace string, inner Finding) Finding {
	bad := func(status Status) bool { return status == Fails || status == Unknown }
	if !bad(inner.Status) || f.Status == Fails && inner.Status == Unknown {
		if inner.Status == Unknown {
			f.Seen += fmt.Sprintf("; in %s: %s", namespace, inner.Seen)
		}
		return f
	}
	objects := []string{namespace + "/"}
	if inner.Status == Fails && len(inner.Objects) > 0 {
		objects = nil
		for _, object := range inner.Objects {
			objects = append(objects, namespace+"/"+object)
		}
	}
	var declared []Waiver
	for _, waiver := range inner.Declared {
		declared = append(declared, Waiver{namespace + "/" + waiver.Object, waiver.Position})
	}
	seen := fmt.Sprintf("In %s: %s", namespace, inner.Seen)
	switch {
	case f.Status == inner.Status && len(f.Objects) == 0: // of which no object can be accepted
		f.Seen += "; in" + seen[len("In"):]
	case f.Status == inner.Status:
		f.Seen, f.Objects, f.Declared = f.Seen+"; in"+seen[len("In"):], append(slices.Clip(f.Objects), objects...), append(slices.Clip(f.Declared), declared...)
		f.Value = joined(f.Value, inner.Value)
	case f.Status == Unknown: // a failure counts for more
		f = Finding{Status: inner.Status, Seen: seen + "; elsewhere: " + f.Seen, Value: inner.Value, Objects: objects, Declared: declared}
	default:
		f = Finding{Status: inner.Status, Seen: seen, Value: inner.Value, Objects: objects, Declared: declared}
	}
	return f
}

// joined returns two values, those that there are.
func joined(a, b string) string {
	if a != "" && b != "" {
		a += "; "
	}
	return a + b
}

// fix returns the calls that repair a failure, in the inner namespaces, too. Of objects that the
// control names it repairs those that are blamed only, and never a field that the seed declares.
func (c Control) fix(facts Facts, limits Limits, blamed []string) []Call {
	calls := c.fixHere(facts, limits)
	if c.everywhere() {
		for _, inner := range facts.Inner {
			for _, call := range c.fixHere(inner.Facts, limits) {
				call.Path, call.Object = inner.Path+"/"+call.Path, inner.Path+"/"+call.Object
				calls = append(calls, call)
			}
		}
	}
	return slices.DeleteFunc(calls, func(call Call) bool { return call.Object != "" && !slices.Contains(blamed, call.Object) })
}

// fixHere returns the calls for one namespace.
func (c Control) fixHere(facts Facts, limits Limits) []Call {
	var calls []Call
	for _, call := range c.Fix(facts, limits) {
		if spared, any := facts.spares(call); any {
			calls = append(calls, spared)
		}
	}
	return calls
}
