package kubestore

import (
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
	coordinationv1 "k8s.io/api/coordination/v1"
)

// recentObjects are the content of the records, and the Leases that we released, as of the latest
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

// released records a Lease that we have freed.
func (r *recentObjects) released(lease *coordinationv1.Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leases == nil {
		r.leases = map[string]*coordinationv1.Lease{}
	}
	r.leases[lease.Name] = lease.DeepCopy()
}

// free returns the Lease that we released, once: if somebody has claimed it since, our claim is
// refused, and the Lease has to be read.
func (r *recentObjects) free(name string) *coordinationv1.Lease {
	r.mu.Lock()
	defer r.mu.Unlock()
	lease := r.leases[name]
	delete(r.leases, name)
	return lease
}

// RecentKeys returns the keys as they were last read or written, if at all, without opening them.
func (k *Store) RecentKeys() (store.Keys, store.Revision, bool) {
	last := k.recent.get(k.keysName())
	if last.data == nil {
		return store.Keys{}, "", false
	}
	keys, err := k.codec.Outline(last.data, k.keysObject())
	return keys, last.revision, err == nil
}

// RecentCheckpoint returns the checkpoint as it was last read or written, if at all. It does not
// support checkpoints in pieces, which are several objects.
func (k *Store) RecentCheckpoint() (store.Checkpoint, store.Revision, bool) {
	last := k.recent.get(k.stateName())
	var record wire.Checkpoint
	if last.data == nil || wire.Decode(last.data, &record, k.stateObject()) != nil || record.Pieces != nil {
		return store.Checkpoint{}, "", false
	}
	k.pieces.book.inForce(last.revision, nil)
	checkpoint, err := k.ledgers.Record(record, k.stateObject())
	return checkpoint, last.revision, err == nil
}
