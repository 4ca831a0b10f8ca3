package states

import "github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"

// applied is what a walk has applied. An object that was written and differs from the seed all the
// same is not written again in the same walk: a server that drops a field would otherwise be
// written to without end. The next walk comes after a pause, and tries once.
type applied struct {
	// cluster is where it was applied: a Vault that was initialized anew has none of it.
	cluster string
	history *reconcile.History
}

// to returns what was applied to a cluster.
func (a *applied) to(cluster string) *reconcile.History {
	if a.cluster != cluster || a.history == nil {
		a.cluster, a.history = cluster, &reconcile.History{}
	}
	return a.history
}
