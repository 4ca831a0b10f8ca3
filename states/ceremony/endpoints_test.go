package ceremony

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault/vaulttest"
)

// TestEndpointsThatWantAToken logs in by our own role once the server asks for a token.
func TestEndpointsThatWantAToken(t *testing.T) {
	for name, test := range map[string]struct {
		given       string
		status      int // without the right token
		logIn       error
		opens, ends bool
	}{
		"it wants none":                      {status: http.StatusOK, opens: true},
		"our own login":                      {status: http.StatusForbidden, opens: true, ends: true},
		"others are there":                   {status: http.StatusMethodNotAllowed, opens: true, ends: true},
		"a token is given":                   {given: "right", status: http.StatusMethodNotAllowed, opens: true},
		"a token is given that may not":      {given: "wrong", status: http.StatusForbidden},
		"our login is refused":               {status: http.StatusForbidden, logIn: fault.Stop("locked out", errors.New("no"), "")},
		"nobody answers our login":           {status: http.StatusForbidden, logIn: errors.New("connection refused")},
		"the server is in trouble otherwise": {status: http.StatusInternalServerError},
	} {
		b := newBench(t)
		server := vaulttest.New(t)
		ended := false
		logIn := func(context.Context, string, store.Keys) (*vault.Session, func(context.Context), error) {
			if test.logIn != nil {
				return nil, nil, test.logIn
			}
			session, err := server.Cluster.Session(server.Address, secret.New("right"))
			return session, func(context.Context) { ended = true }, err
		}
		b.admin.LogIns = []LogIn{logIn}
		way, shown, err := enter(t.Context(), b.admin, "https://vault-0:8200", b.records.keys, secret.New(test.given), func(_ context.Context, via vault.Endpoints) (string, error) {
			replaced := test.status == http.StatusMethodNotAllowed
			if test.status == http.StatusOK || via.Token.Reveal() == "right" && via.Authenticated == replaced {
				return "shown", nil
			}
			return "", answer(test.status, "no")
		})
		if (err == nil) != test.opens || test.opens && shown != "shown" {
			t.Errorf("%s: %q, %v", name, shown, err)
		}
		if transient := test.logIn != nil && fault.KindOf(test.logIn) == fault.Transient; transient && EndpointClosed(err) {
			t.Errorf("%s: a login that may work later counts as a closed endpoint", name)
		}
		if way.close(t.Context()); ended != test.ends {
			t.Errorf("%s: our login ended: %v", name, ended)
		}
	}
}
