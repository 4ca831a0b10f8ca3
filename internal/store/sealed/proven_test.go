package sealed_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

// provenAt is a time after that of storetest's clock.
var provenAt = time.Date(2026, 6, 7, 8, 9, 10, 0, time.UTC)

// wrapOf returns the wrap of a recipient.
func wrapOf(t *testing.T, sealing *store.Sealing, recipient string) store.Wrap {
	t.Helper()
	for _, wrap := range sealing.Wraps {
		if wrap.Recipient == recipient {
			return wrap
		}
	}
	t.Fatalf("%s is no recipient", recipient)
	return store.Wrap{}
}

// TestProven follows the date of a recipient's last proof: set when a data key is made, by those who
// can unwrap it, and by whoever has tried it later; readable without a key.
func TestProven(t *testing.T) {
	kms, safe := storetest.NewRecipient("kms"), storetest.NewEscrow("safe")
	c := codec(t, kms, safe)
	keys := decode(t, c, encode(t, c, sample(t)))
	made := wrapOf(t, keys.Sealing, "kms").Made
	if got := wrapOf(t, keys.Sealing, "kms").Proven; got.IsZero() || !got.Equal(made) {
		t.Errorf("the KMS was proven on %s, when the data key was made at %s", got, made)
	}
	if got := wrapOf(t, keys.Sealing, "safe").Proven; !got.IsZero() {
		t.Errorf("an escrow that nobody has tried was proven on %s", got)
	}

	before := keys.Sealing
	keys.Sealing = before.Proven([]string{"safe"}, provenAt)
	if !wrapOf(t, before, "safe").Proven.IsZero() {
		t.Error("the Sealing that was read has changed")
	}
	stored := encode(t, c, keys)
	seen := outline(t, opener(), stored).Sealing
	if got := wrapOf(t, seen, "safe").Proven; !got.Equal(provenAt) {
		t.Errorf("the escrow was proven on %s, as the header says", got)
	}
	if got := wrapOf(t, seen, "kms").Proven; !got.Equal(made) {
		t.Errorf("the KMS, which was not tried, was proven on %s", got)
	}

	// With a new data key, an escrow keeps the date of its own last proof.
	renewed, err := c.Renew(t.Context(), decode(t, c, stored), nil)
	check(t, err)
	if got := wrapOf(t, renewed, "safe"); !got.Proven.Equal(provenAt) || !got.Escrow {
		t.Errorf("after a new data key: %+v", got)
	}
	// Somebody with its identity who makes the data key proves it.
	person := opener(storetest.NewRecipient("safe"))
	renewed, err = person.Renew(t.Context(), decode(t, person, stored), nil)
	check(t, err)
	if got := wrapOf(t, renewed, "safe"); !got.Proven.Equal(got.Made) || got.Escrow {
		t.Errorf("made by who has the identity: %+v", got)
	}
}

// TestRecordsWithoutDates reads the vectors from before there were dates of proofs, and the one that
// has some.
func TestRecordsWithoutDates(t *testing.T) {
	files, err := filepath.Glob("testdata/vector-*.json")
	check(t, err)
	dated := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(t, err)
		var v vector
		check(t, json.Unmarshal(text, &v))
		sealing := decode(t, opener(storetest.NewRecipient("kms")), v.Record).Sealing
		kms, safe := wrapOf(t, sealing, "kms"), wrapOf(t, sealing, "safe")
		want := time.Time{}
		if bytes.Contains(v.Record, []byte(`"proven"`)) {
			dated++
			want = provenAt
		}
		if !kms.Proven.Equal(kms.Made) || !safe.Proven.Equal(want) {
			t.Errorf("%s: the KMS was proven on %s, made on %s; the escrow was proven on %s, want %s", file, kms.Proven, kms.Made, safe.Proven, want)
		}
	}
	if dated != 1 || len(files) < 4 {
		t.Errorf("%d of %d vectors have dates", dated, len(files))
	}
}
