package kubestore

import (
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Rules returns the rules for the store called name. They are all it needs;
// manifests/rbac.yaml ships the same, and a test compares the two.
//
// Create is among the verbs although objects are made by server-side apply, a
// PATCH: the API server asks for both when the object is not there yet, and since
// a PATCH has a name, both can be limited to it. Update writes the Lease; on the Secrets
// it is for earlier versions, which wrote them whole, should one be put back.
func Rules(name string) []kube.Rule {
	verbs := []string{"get", "create", "patch", "update"}
	return []kube.Rule{
		{Resource: "secrets", Name: name + "-keys", Verbs: verbs},
		{Resource: "secrets", Name: name + "-state", Verbs: verbs},
		{Group: "coordination.k8s.io", Resource: "leases", Name: name, Verbs: verbs},
		// The Pod of an earlier run may hold Vault's answer in its termination message.
		{Resource: "pods", Verbs: []string{"get"}},
		// What follows makes things better, and none of it is missed by a run: to hear of
		// changes at once, to lead among several watches, to tell what happens as
		// Events, and to find out that the namespace is being deleted (decision 50).
		{Resource: "secrets", Name: name + "-state", Verbs: []string{"watch"}, Optional: true},
		{Group: "coordination.k8s.io", Resource: "leases", Name: name, Verbs: []string{"watch"}, Optional: true},
		{Group: "coordination.k8s.io", Resource: "leases", Name: name + store.LeadSuffix, Verbs: verbs, Optional: true},
		{Resource: "events", Verbs: []string{"create"}, Optional: true},
	}
}
