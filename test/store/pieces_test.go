package store_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

// many is how many objects a large ledger names. What they remember is much longer than
// it would be: what counts is the size, and with the race detector each object costs.
const many = 4_000

// large fills a checkpoint with what cannot be compressed: two Secrets' worth.
func large(c *store.Checkpoint, seed string) {
	c.Hashes = map[string]map[string]string{}
	for i := range many {
		text := make([]byte, 240)
		_, _ = rand.Read(text) // never fails, by its documentation
		c.Hashes[fmt.Sprintf("auth/userpass/users/%s-%d", seed, i)] = map[string]string{"password": base64.StdEncoding.EncodeToString(text)}
	}
}

// TestLargeLedger keeps a ledger that does not fit into one Secret, in pieces that the
// record names last, on a real API server.
func TestLargeLedger(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	kube := s.open(t)
	session, err := fencing.Begin(within(t), kube, storetest.LeaseOptions("h"))
	check(t, err)
	defer func() { check(t, session.Close()) }()
	// The Role as shipped does not allow it; the remedy says what does, and no more.
	tooLarge := session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error { large(c, "one"); return nil })
	if fault.KindOf(tooLarge) != fault.Usage {
		t.Fatalf("got %v", tooLarge)
	}
	s.grant(t, fault.RemedyOf(tooLarge))
	poll(t, "the rules to arrive", func(context.Context) error {
		return session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error { large(c, "one"); return nil })
	})
	save := func(name string) {
		t.Helper()
		check(t, session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error { large(c, name); return nil }))
		c, err := session.Checkpoint(within(t))
		check(t, err)
		if len(c.Hashes) != many || c.Hashes["auth/userpass/users/"+name+"-7"] == nil {
			t.Fatalf("%d hashes came back", len(c.Hashes))
		}
	}
	save("one")
	for _, name := range []string{"-state-a1", "-state-a2"} {
		if piece := s.secret(t, s.name+name); len(piece.Data["piece"]) == 0 || piece.Labels["app.kubernetes.io/name"] != "vault-bootstrap" {
			t.Errorf("%s is empty", name)
		}
	}
	if state := s.secret(t, s.name+"-state"); len(state.Data["state.json"]) > 10<<10 {
		t.Errorf("the record itself holds %d bytes", len(state.Data["state.json"]))
	}

	// A writer that is cut off before the record, or loses the race for it, takes
	// nothing away: it wrote the places that nobody reads.
	checkpoint, _, err := kube.Checkpoint(within(t))
	check(t, err)
	large(&checkpoint, "lost")
	if _, err := kube.SaveCheckpoint(within(t), checkpoint, "1"); !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
	if c, err := session.Checkpoint(within(t)); err != nil || c.Hashes["auth/userpass/users/one-7"] == nil {
		t.Errorf("the record in force is gone: %v", err)
	}
	save("two")
	save("three")

	// What changes elsewhere in the record leaves the pieces alone, and takes those of no
	// use away: half of what is stored here would be waste.
	inForce, waste := s.namedSlot(t)
	before := s.secret(t, s.name+"-state-"+inForce+"1").ResourceVersion
	check(t, session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error { c.State = "seeded"; return nil }))
	if s.secret(t, s.name+"-state-"+inForce+"1").ResourceVersion != before {
		t.Error("the pieces were written although the ledger is the same")
	}
	for _, i := range []string{"1", "2"} {
		if size := len(s.secret(t, s.name+"-state-"+waste+i).Data["piece"]); size > 0 {
			t.Errorf("piece %s of the other slot still holds %d bytes", i, size)
		}
	}
	// Another process finds what an earlier one has left.
	next := s.open(t)
	_, stale := s.namedSlot(t)
	secrets := controlPlane.Client.CoreV1().Secrets(s.namespace)
	left := s.secret(t, s.name+"-state-"+stale+"1")
	left.Data = map[string][]byte{"piece": []byte("left behind")}
	_, err = secrets.Update(within(t), left, metav1.UpdateOptions{})
	check(t, err)
	checkpoint, revision, err := next.Checkpoint(within(t))
	check(t, err)
	checkpoint.State = "hardened"
	_, err = next.SaveCheckpoint(within(t), checkpoint, revision)
	check(t, err)
	if size := len(s.secret(t, left.Name).Data["piece"]); size > 0 {
		t.Errorf("what an earlier process has left still holds %d bytes", size)
	}
	if c, err := session.Checkpoint(within(t)); err != nil || len(c.Hashes) != many {
		t.Errorf("%d hashes came back, %v", len(c.Hashes), err)
	}

	// And a small one goes back into the record, and leaves no piece.
	check(t, session.UpdateCheckpoint(within(t), func(c *store.Checkpoint) error {
		c.Hashes = map[string]map[string]string{"x": {"y": "z"}}
		return nil
	}))
	if c, err := session.Checkpoint(within(t)); err != nil || len(c.Hashes) != 1 {
		t.Errorf("%d hashes, %v", len(c.Hashes), err)
	}
	for _, name := range []string{"a1", "a2", "b1", "b2"} {
		if size := len(s.secret(t, s.name+"-state-"+name).Data["piece"]); size > 0 {
			t.Errorf("%s still holds %d bytes", name, size)
		}
	}
}

// namedSlot returns the slot that the record names, and the other.
func (s *site) namedSlot(t *testing.T) (named, other string) {
	t.Helper()
	var record struct {
		Pieces struct {
			Slot string `json:"slot"`
		} `json:"pieces"`
	}
	check(t, json.Unmarshal(s.secret(t, s.name+"-state").Data["state.json"], &record))
	switch record.Pieces.Slot {
	case "a":
		return "a", "b"
	case "b":
		return "b", "a"
	}
	t.Fatalf("the record names the slot %q", record.Pieces.Slot)
	return "", ""
}
