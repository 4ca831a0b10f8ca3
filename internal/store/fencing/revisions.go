package fencing

import (
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"slices"
	"sync"
)

// maxRevisions is how many revisions are remembered: more than a session writes before it is
// notified of its own writes.
const maxRevisions = 256

// revisions are the latest revisions of a record that one session has written.
type revisions struct {
	mu   sync.Mutex
	made []store.Revision
}

func (r *revisions) add(revision store.Revision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = append(r.made, revision)
	if over := len(r.made) - maxRevisions; over > 0 {
		r.made = slices.Delete(r.made, 0, over)
	}
}

// last returns the latest revision, or "" if there is none.
func (r *revisions) last() store.Revision {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.made) == 0 {
		return ""
	}
	return r.made[len(r.made)-1]
}

func (r *revisions) contains(revision store.Revision) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.made, revision)
}
