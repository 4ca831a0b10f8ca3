package kube

import (
	"fmt"
	"slices"
	"strings"
)

// Access is a permission that a request needs: a verb on an object.
type Access struct {
	Verb, Resource string
	// Name is empty if it is for any object.
	Name string
}

func (a Access) String() string {
	if a.Name == "" {
		return a.Verb + " " + a.Resource
	}
	return fmt.Sprintf("%s %s %q", a.Verb, a.Resource, a.Name)
}

// Rule is a rule of a Role. If possible, it names one object, so that the service account cannot
// touch any other.
type Rule struct {
	Group, Resource string
	// Name is empty if the name is not known in advance.
	Name  string
	Verbs []string
	// Optional is set for what a run can do without: the preflight does not require it.
	Optional bool
}

// YAML returns the rule as a Role holds it.
func (r Rule) YAML() string {
	name := ""
	if r.Name != "" {
		name = fmt.Sprintf("  resourceNames: [%q]\n", r.Name)
	}
	return fmt.Sprintf("- apiGroups: [%q]\n  resources: [%q]\n%s  verbs: [%s]\n",
		r.Group, r.Resource, name, `"`+strings.Join(r.Verbs, `", "`)+`"`)
}

// GrantRemedy says which rules would allow what is missing, and nothing more.
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
