package kubestore

import (
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
	coordinationv1 "k8s.io/api/coordination/v1"
)

// recentObjects are the records' content, and the Leases that we gave back, as of the latest
// answers of the API server.
type recentObjects struct {
	mu      sync.Mutex
	records map[string]recentRecord
	leases  map[string]*coordinationv1.Lease
}

type recentRecord struct {
	data     []byte
	revision store.Revision
}

func (r *recentObjects) note(name string, data []byte, revision store.Revision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.records == nil {
		r.records = map[string]recentRecord{}
	}
	r.records[name] = recentRecord{data, revision}
}

func (r *recentObjects) get(name string) recentRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records[name]
}

// released notes a Lease that is free by our own write.
func (r *recentObjects) released(lease *coordinationv1.Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leases == nil {
		r.leases = map[string]*coordinationv1.Lease{}
	}
	r.leases[lease.Name] = lease.DeepCopy()
}

// free returns the Lease that we gave back, once: if somebody has taken it since, the claim
// is refused, and it has to be read.
func (r *recentObjects) free(name string) *coordinationv1.Lease {
	r.mu.Lock()
	defer r.mu.Unlock()
	lease := r.leases[name]
	delete(r.leases, name)
	return lease
}

// RecentKeys returns the keys as they were last read or written, if they were.
func (k *Store) RecentKeys() (store.Keys, store.Revision, bool) {
	last := k.recent.get(k.keysName())
	if last.data == nil {
		return store.Keys{}, "", false
	}
	keys, err := wire.DecodeKeys(last.data, k.keysObject())
	return keys, last.revision, err == nil
}

// RecentCheckpoint returns the checkpoint as it was last read or written, if it was. It does
// without checkpoints in pieces, which are more than one object.
func (k *Store) RecentCheckpoint() (store.Checkpoint, store.Revision, bool) {
	last := k.recent.get(k.stateName())
	var record wire.Checkpoint
	if last.data == nil || wire.Decode(last.data, &record, k.stateObject()) != nil || record.Pieces != nil {
		return store.Checkpoint{}, "", false
	}
	k.pieces.book.inForce(last.revision, nil)
	checkpoint, err := record.Record(k.stateObject())
	return checkpoint, last.revision, err == nil
}
