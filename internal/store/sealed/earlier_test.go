package sealed_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// TestRecordsOfEarlierVersionsMoveOver encrypts records that earlier versions have written: nothing
// that they hold may be lost or changed on the way.
func TestRecordsOfEarlierVersionsMoveOver(t *testing.T) {
	files, err := filepath.Glob("../wire/testdata/*/*-keys.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no records: %v", err)
	}
	kms := storetest.NewRecipient("kms")
	for _, file := range files {
		data, err := os.ReadFile(file)
		check(t, err)
		want, err := wire.DecodeKeys(data, object)
		check(t, err)
		c := codec(t, kms)
		keys := decode(t, c, data)
		if back := decode(t, opener(kms), encode(t, c, keys)); back.Sealing == nil || !reflect.DeepEqual(without(back), want) {
			t.Errorf("%s: it came back as %+v", file, back)
		}
	}
}
