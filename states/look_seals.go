package states

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// seals knows which replicas somebody has sealed on purpose.
type seals struct {
	setting *Setting
	// respected is whether a replica that somebody has sealed stays so. It needs pods.
	respected bool
	pods      PodReader // nil outside Kubernetes
	lives     lives     // of the servers behind the replicas
}

// Asking reads the life of each server whose life is not known yet, before the replicas are asked.
// What fails here fails again in look, which reports it.
func (s *seals) Asking(ctx context.Context, servers []cluster.Server) {
	if !s.respected {
		return
	}
	for _, server := range servers {
		if address := server.Address(); s.lives.unseen(address) {
			if life, err := s.pods.Life(ctx, address); err == nil {
				s.lives.note(address, life)
			}
		}
	}
}

// Answered notes where an answer came from.
func (s *seals) Answered(address string, from netip.Addr) { s.lives.answered(address, from) }

// look marks the replicas that somebody has sealed: those that were open before in the same life of
// their server. It notes the life in which each replica is open, for the checkpoint.
func (s *seals) look(ctx context.Context, look *Look) error {
	if !s.respected {
		return nil
	}
	open := maps.Clone(look.Checkpoint.Open)
	if open == nil {
		open = map[string]string{}
	}
	for i := range look.Observation.Replicas {
		replica := &look.Observation.Replicas[i]
		address := replica.Address
		if !replica.Health.Unsealed() && replica.Health != fsm.Sealed {
			continue
		}
		life, err := s.pods.Life(ctx, address)
		switch {
		case errors.Is(err, workload.ErrNoPod):
			s.warnUndecidable(address, err)
		case err != nil:
			return err
		case replica.Health == fsm.Sealed:
			replica.OnPurpose = open[address] == life.Name
			s.lives.note(address, life)
		default:
			// The answer may be from an earlier life of the server, which has ended since or is
			// ending now. Taking it for this life would keep this one sealed forever.
			sure, why := s.lives.sure(address, life)
			switch {
			case sure:
				open[address] = life.Name
			case why != nil:
				s.warnUndecidable(address, why)
			}
			s.lives.note(address, life)
		}
	}
	if !maps.Equal(open, look.Checkpoint.Open) {
		look.Unsettled.Open = open
	}
	return nil
}

// warnUndecidable warns, once for each replica, that a manual seal looks like a restart.
func (s *seals) warnUndecidable(address string, err error) {
	if s.lives.warn(address) {
		s.setting.Log.Warn("if somebody seals this replica, it is unsealed again: a manual seal looks the same as a restart", "replica", address, "error", err.Error())
	}
}

// lives are what is known about the servers behind the replicas' addresses. The zero value knows
// nothing; it is safe for concurrent use.
type lives struct {
	mu     sync.Mutex
	last   map[string]workload.Life // read before the latest request to the replica
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

// note remembers the life that was read just now, for the next request.
func (l *lives) note(address string, life workload.Life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[string]workload.Life{}
	}
	l.last[address] = life
}

// answered remembers where an answer came from.
func (l *lives) answered(address string, from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from == nil {
		l.from = map[string]netip.Addr{}
	}
	l.from[address] = from
}

// sure reports whether the latest answer at address came from the server in that life, which was
// read after the answer: the life was the same before, and its pod sent the answer. An error says
// why no look can ever find out.
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

// warn reports whether it is called for address for the first time.
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
