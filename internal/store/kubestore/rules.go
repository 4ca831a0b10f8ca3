package kubestore

import (
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Rules returns the rules that the store called name needs. manifests/rbac.yaml ships the same
// rules, and a test compares the two.
//
// The verb create is included although objects are created by server-side apply, a PATCH: the API
// server requires both if the object does not exist, and since a PATCH has a name, both can be
// limited to it. Update writes the Lease; on the Secrets it is for earlier versions, which wrote
// them whole, in case of a rollback.
func Rules(name string) []kube.Rule {
	verbs := []string{"get", "create", "patch", "update"}
	return []kube.Rule{
		{Resource: "secrets", Name: name + "-keys", Verbs: verbs},
		{Resource: "secrets", Name: name + "-state", Verbs: verbs},
		{Group: "coordination.k8s.io", Resource: "leases", Name: name, Verbs: verbs},
		// The Pod of an earlier run may hold Vault's answer in its termination message.
		{Resource: "pods", Verbs: []string{"get"}},
		// Nobody needs to be notified of changes at once.
		{Resource: "secrets", Name: name + "-state", Verbs: []string{"watch"}, Optional: true},
		{Group: "coordination.k8s.io", Resource: "leases", Name: name, Verbs: []string{"watch"}, Optional: true},
		// A run never acquires the Lease of the watch that leads, so its preflight does not require
		// this. Every watch and every sidecar does acquire it, also a single one, and ends without it.
		{Group: "coordination.k8s.io", Resource: "leases", Name: name + store.LeadSuffix, Verbs: verbs, Optional: true},
		// Nor does anybody need to report what happens as Events, or to notice that the namespace is
		// being deleted (decision 50).
		{Resource: "events", Verbs: []string{"create"}, Optional: true},
	}
}

// RulesWithoutKeys returns the rules that the store needs where the keys of Vault are not ours: no pod
// then leaves an init response behind.
func RulesWithoutKeys(name string) []kube.Rule {
	return slices.DeleteFunc(Rules(name), func(rule kube.Rule) bool { return rule.Resource == "pods" })
}
