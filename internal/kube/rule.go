package kube

import (
	"fmt"
	"slices"
	"strings"
)

// Access is one thing that a request needs to be allowed: a verb on an object.
type Access struct {
	Verb, Resource string
	// Name is empty where any object is meant.
	Name string
}

func (a Access) String() string {
	if a.Name == "" {
		return a.Verb + " " + a.Resource
	}
	return fmt.Sprintf("%s %s %q", a.Verb, a.Resource, a.Name)
}

// Rule is a rule of a Role. Where it can, it names one object: the service account
// may touch no other.
type Rule struct {
	Group, Resource string
	// Name is empty where no name can be known ahead.
	Name  string
	Verbs []string
	// Optional is for what a run does without: it is not asked for ahead.
	Optional bool
}

// YAML returns the rule as it stands in a Role.
func (r Rule) YAML() string {
	name := ""
	if r.Name != "" {
		name = fmt.Sprintf("  resourceNames: [%q]\n", r.Name)
	}
	return fmt.Sprintf("- apiGroups: [%q]\n  resources: [%q]\n%s  verbs: [%s]\n",
		r.Group, r.Resource, name, `"`+strings.Join(r.Verbs, `", "`)+`"`)
}

// GrantRemedy says which rules allow what is missing, and nothing more.
func (n Namespace) GrantRemedy(missing []Access) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Add to the rules of a Role in the namespace %q that is bound to our service account:\n", n.Name)
	for _, rule := range n.Rules {
		rule.Verbs = slices.DeleteFunc(slices.Clone(rule.Verbs), func(verb string) bool {
			return !slices.Contains(missing, Access{Verb: verb, Resource: rule.Resource, Name: rule.Name})
		})
		if len(rule.Verbs) > 0 {
			b.WriteString(rule.YAML())
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}
