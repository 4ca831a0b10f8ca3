package store

import (
	"slices"
	"sync"
)

// mostRevisions is how many revisions are remembered: more than a session writes while
// the news of its writes is under way.
const mostRevisions = 256

// revisions are the latest of a record that one session has written.
type revisions struct {
	mu   sync.Mutex
	made []Revision
}

func (r *revisions) add(revision Revision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = append(r.made, revision)
	if over := len(r.made) - mostRevisions; over > 0 {
		r.made = slices.Delete(r.made, 0, over)
	}
}

// last returns the latest one, "" if there is none.
func (r *revisions) last() Revision {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.made) == 0 {
		return ""
	}
	return r.made[len(r.made)-1]
}

func (r *revisions) have(revision Revision) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.made, revision)
}
