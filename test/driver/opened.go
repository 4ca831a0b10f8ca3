package driver

import (
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/agekey"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// OpenedFor returns a function that opens keys records as whoever has the identity in a file can, and
// returns them in version 1, so that the suite knows the secrets in them; nothing for one that does
// not open, which fails the test.
func OpenedFor(t *testing.T, recipient, identity string) func(record []byte) []byte {
	t.Helper()
	form, err := keyring.Parse(recipient)
	if err != nil {
		t.Fatal(err)
	}
	identities, err := agekey.ReadIdentities([]string{identity}, nil)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := agekey.New(form, identities, nil)
	if err != nil {
		t.Fatal(err)
	}
	codec := sealed.New("vault-bootstrap")
	codec.Use(sealed.Ring{Recipients: []sealed.Recipient{opener}, NoIdentity: keyring.NoIdentity, Now: time.Now})
	return func(record []byte) []byte {
		keys, err := codec.Decode(t.Context(), record, wire.Object{Name: "the record"})
		if err != nil {
			t.Errorf("the record does not open: %v", err)
			return nil
		}
		text, err := wire.EncodeKeys(keys)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}
