package store

import (
	"fmt"
	"slices"
	"strings"
)

// Rule is a rule of the Role that the store in Kubernetes needs. It names one
// object: the service account may touch no other.
type Rule struct {
	Group, Resource string
	// Name is empty where no name can be known ahead.
	Name  string
	Verbs []string
}

// Rules returns the rules for the store called name. They are all it needs;
// manifests/rbac.yaml ships the same, and a test compares the two.
//
// Create is among the verbs although objects are made by server-side apply, a
// PATCH: the API server asks for both when the object is not there yet, and since
// a PATCH has a name, both can be limited to it.
func Rules(name string) []Rule {
	verbs := []string{"get", "create", "patch", "update"}
	return []Rule{
		{Resource: "secrets", Name: name + "-keys", Verbs: verbs},
		{Resource: "secrets", Name: name + "-state", Verbs: verbs},
		{Group: "coordination.k8s.io", Resource: "leases", Name: name, Verbs: verbs},
		// The Pod of an earlier run may hold Vault's answer in its termination message.
		{Resource: "pods", Verbs: []string{"get"}},
	}
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

// grantRemedy says which rules allow what is missing, and nothing more.
func (k *Kube) grantRemedy(missing []access) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Add to the rules of a Role in the namespace %q that is bound to our service account:\n", k.namespace)
	for _, rule := range Rules(k.name) {
		rule.Verbs = slices.DeleteFunc(slices.Clone(rule.Verbs), func(verb string) bool {
			return !slices.Contains(missing, access{verb: verb, resource: rule.Resource, name: rule.Name})
		})
		if len(rule.Verbs) > 0 {
			b.WriteString(rule.YAML())
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}
