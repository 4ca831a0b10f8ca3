package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

func largeCheckpoint(objects int) store.Checkpoint {
	c := store.Checkpoint{Epoch: 3, State: "hardened", Ledger: map[string]store.Ownership{}, Hashes: map[string]map[string]string{}}
	for i := range objects {
		c.Ledger[fmt.Sprintf("auth/kubernetes/role/application-%d", i)] = store.Created
	}
	c.Hashes["auth/userpass/users/a"] = map[string]string{"password": "x"}
	return c
}

// TestLargeLedgerIsPacked holds that a large ledger takes a fraction of its size, and
// comes back as it was.
func TestLargeLedgerIsPacked(t *testing.T) {
	c := largeCheckpoint(10_000)
	data, err := new(Ledgers).EncodeCheckpoint(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 100<<10 {
		t.Errorf("10,000 objects take %d KiB", len(data)>>10)
	}
	back, err := new(Ledgers).DecodeCheckpoint(data, testObject)
	if err != nil || !reflect.DeepEqual(back.Ledger, c.Ledger) || !reflect.DeepEqual(back.Hashes, c.Hashes) {
		t.Errorf("it came back different: %v", err)
	}
	again, err := new(Ledgers).EncodeCheckpoint(c)
	if err != nil || !bytes.Equal(again, data) {
		t.Error("two encodings differ")
	}
}

// TestSmallLedgerStaysReadable holds that earlier versions and people can read the records of seeds
// of a usual size, and that records of earlier versions are read.
func TestSmallLedgerStaysReadable(t *testing.T) {
	data, err := new(Ledgers).EncodeCheckpoint(largeCheckpoint(100))
	if err != nil || !strings.Contains(string(data), `"auth/kubernetes/role/application-7":"created"`) || strings.Contains(string(data), "packed") {
		t.Errorf("%v\n%s", err, data)
	}
	const earlier = `{"version":1,"epoch":4,"state":"seeded","since":"2026-01-02T03:04:05Z","cluster_id":"c","seed_digest":"sha256:d",
		"ledger":{"sys/policies/acl/app":"created","sys/mounts/kv":"taken over"},"hashes":{"auth/userpass/users/a":{"password":"h"}}}`
	c, err := new(Ledgers).DecodeCheckpoint([]byte(earlier), testObject)
	if err != nil || c.Ledger["sys/policies/acl/app"] != store.Created || c.Hashes["auth/userpass/users/a"]["password"] != "h" || c.Epoch != 4 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestBrokenLedger(t *testing.T) {
	for _, packed := range []string{"", "AAAA", "eJw="} {
		text := `{"version":1,"packed":"` + packed + `"}`
		_, err := new(Ledgers).DecodeCheckpoint([]byte(text), testObject)
		if packed == "" {
			continue
		}
		if fault.NameOf(err) != RecordCorrupt {
			t.Errorf("%q: got %v", packed, err)
		}
	}
}
