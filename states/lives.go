package states

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
)

// lives are what is known of the servers behind the replicas' addresses. The zero
// value knows nothing; it may be used by many at once.
type lives struct {
	mu     sync.Mutex
	last   map[string]workload.Life // read before the latest question to the replica
	from   map[string]netip.Addr    // where the latest answer came from
	warned map[string]bool
}

// unseen reports whether no life is known at address.
func (l *lives) unseen(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.last[address]
	return !known
}

// note takes in the life that was read just now, for the next question.
func (l *lives) note(address string, life workload.Life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[string]workload.Life{}
	}
	l.last[address] = life
}

// answered takes in where an answer came from.
func (l *lives) answered(address string, from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from == nil {
		l.from = map[string]netip.Addr{}
	}
	l.from[address] = from
}

// sure reports whether the latest answer at address came from the server of life,
// which was read after it: the life was the same before, and it was its pod that
// answered. An error says why no look will ever tell.
func (l *lives) sure(address string, life workload.Life) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch from := l.from[address]; {
	case l.last[address].Name != life.Name:
		return false, nil
	case life.At(from):
		return true, nil
	case len(life.Addresses) == 0:
		return false, nil
	default:
		return false, fmt.Errorf("the answer came from %s, and the pod is at %s", from, life.Addresses)
	}
}

// warn reports whether it is the first time that it is asked for address.
func (l *lives) warn(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.warned[address] {
		return false
	}
	if l.warned == nil {
		l.warned = map[string]bool{}
	}
	l.warned[address] = true
	return true
}
