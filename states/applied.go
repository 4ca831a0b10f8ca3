package states

import "github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"

// applied is what a walk has written. An object that differs from the seed nevertheless is not
// written again in the same walk: a server that drops a field would otherwise be written to without
// end. The next walk comes after a pause, and tries once.
type applied struct {
	// cluster is where it was written: a Vault that was initialized anew has none of it.
	cluster string
	objects map[object.ID]bool
}

// to returns what was written to a cluster.
func (a *applied) to(cluster string) map[object.ID]bool {
	if a.cluster != cluster || a.objects == nil {
		a.cluster, a.objects = cluster, map[object.ID]bool{}
	}
	return a.objects
}
