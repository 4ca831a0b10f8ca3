package store

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// stub is a store that can be read.
type stub struct {
	Store
	concerns       []Concern
	blocked, blind error
}

func (p stub) Preflight(context.Context) error             { return p.blocked }
func (p stub) Concerns(context.Context) ([]Concern, error) { return p.concerns, p.blind }
func (stub) Keys(context.Context) (Keys, Revision, error)  { return Keys{Epoch: 3}, "r", nil }
func (stub) Checkpoint(context.Context) (Checkpoint, Revision, error) {
	return Checkpoint{State: "x"}, "r", nil
}

func TestReady(t *testing.T) {
	trouble := errors.New("trouble")
	immutable := Concern{Name: RecordImmutable, Message: "it is immutable", Remedy: "Replace it."}
	owned := Concern{Name: RecordOwned, Message: "it is owned", Remedy: "Take the owner off."}
	also := Concern{Name: RecordOwned, Message: "so is the other", Remedy: "Replace it."}
	if err := Ready(t.Context(), stub{}); err != nil {
		t.Error(err)
	}
	if err := Ready(t.Context(), stub{blocked: trouble}); !errors.Is(err, trouble) {
		t.Errorf("got %v", err)
	}
	if err := Ready(t.Context(), stub{blind: trouble}); !errors.Is(err, trouble) {
		t.Errorf("got %v", err)
	}
	err := Ready(t.Context(), stub{concerns: []Concern{immutable, owned, also}})
	if fault.NameOf(err) != RecordImmutable || !errors.Is(err, ErrImmutable) || fault.RemedyOf(err) != "Replace it. Take the owner off." {
		t.Errorf("got %v, %q", err, fault.RemedyOf(err))
	}
	for _, says := range []string{"it is immutable", "record has an owner: it is owned", "so is the other"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	if err := owned.Fault(); errors.Is(err, ErrImmutable) || fault.NameOf(err) != RecordOwned {
		t.Errorf("got %v", err)
	}
}

func TestReader(t *testing.T) {
	reader := Reader{stub{}}
	if keys, err := reader.Keys(t.Context()); err != nil || keys.Epoch != 3 {
		t.Errorf("got %+v, %v", keys, err)
	}
	if checkpoint, err := reader.Checkpoint(t.Context()); err != nil || checkpoint.State != "x" {
		t.Errorf("got %+v, %v", checkpoint, err)
	}
}

func TestAttempts(t *testing.T) {
	keys := &Keys{Past: []Attempt{{ID: "a"}, {ID: "b"}}}
	if keys.Origin() != nil || len(keys.Attempts()) != 2 {
		t.Error("a record without a set has an origin")
	}
	keys.Attempt = &Attempt{ID: "c", Status: AttemptStored}
	keys.Set = &KeySet{}
	if keys.Origin() != keys.Attempt { // a record of an earlier version
		t.Errorf("the origin is %+v", keys.Origin())
	}
	keys.Attempt.Status = AttemptOpen
	if keys.Origin() != nil {
		t.Errorf("the origin is %+v", keys.Origin())
	}
	for id, there := range map[string]bool{"a": true, "c": true, "x": false} {
		if keys.Set.Attempt = id; (keys.Origin() != nil) != there {
			t.Errorf("%s: %+v", id, keys.Origin())
		}
	}
}

func TestHistoryForgetsTheOldest(t *testing.T) {
	var c Checkpoint
	for range HistoryLimit + 3 {
		c.Remember(Transition{Event: string(rune('a' + len(c.History)%26))})
	}
	if len(c.History) != HistoryLimit {
		t.Errorf("%d transitions are remembered", len(c.History))
	}
}
