package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// TestLedgersRemember holds that what is remembered changes nothing: each checkpoint is written and
// read as by one that remembers nothing.
func TestLedgersRemember(t *testing.T) {
	l := &Ledgers{}
	steps := map[int]func(*store.Checkpoint){
		0: func(*store.Checkpoint) {},
		1: func(c *store.Checkpoint) { c.State = "hardened" }, // the ledger stays
		2: func(c *store.Checkpoint) { c.Ledger["auth/one"] = store.Created },
		3: func(c *store.Checkpoint) { delete(c.Ledger, "auth/one") },
		4: func(c *store.Checkpoint) { c.Ledger["sys/policies/acl/p1"] = store.TakenOver },
		5: func(c *store.Checkpoint) { c.Hashes = map[string]map[string]string{"a": {"x": "1"}} },
		6: func(c *store.Checkpoint) { c.Hashes["a"]["x"] = "2" },
		7: func(c *store.Checkpoint) { c.Ledger, c.Hashes = nil, nil }, // small, and not packed
		8: func(c *store.Checkpoint) { c.Ledger = largeCheckpoint(3000).Ledger },
	}
	c := largeCheckpoint(3000)
	for i := range len(steps) {
		steps[i](&c)
		data, err := l.EncodeCheckpoint(c)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := new(Ledgers).EncodeCheckpoint(c)
		if err != nil || !bytes.Equal(data, plain) {
			t.Fatalf("step %d is written otherwise: %v", i, err)
		}
		for range 2 { // as remembered, and again: what the first reader has changed is its own
			read, err := l.DecodeCheckpoint(data, testObject)
			if err != nil {
				t.Fatal(err)
			}
			want, err := new(Ledgers).DecodeCheckpoint(data, testObject)
			if err != nil || !reflect.DeepEqual(read, want) {
				t.Fatalf("step %d is read otherwise: %v", i, err)
			}
			for id := range read.Ledger {
				read.Ledger[id] = store.Intended
			}
			for id := range read.Hashes {
				read.Hashes[id]["x"] = "changed"
			}
		}
	}
}

func TestLedgersForgetWhatIsLarge(t *testing.T) {
	l := &Ledgers{}
	c := store.Checkpoint{Ledger: map[string]store.Ownership{}}
	for i := range maxRemembered + 1 {
		c.Ledger[fmt.Sprint("auth/kubernetes/role/r", i)] = store.Created
	}
	data, err := l.EncodeCheckpoint(c)
	if err != nil || l.packed != nil {
		t.Fatalf("%d objects are remembered: %v", len(c.Ledger), err)
	}
	if read, err := l.DecodeCheckpoint(data, testObject); err != nil || len(read.Ledger) != len(c.Ledger) {
		t.Errorf("%d objects are read: %v", len(read.Ledger), err)
	}
}
