package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Endpoints says by which endpoints key shares are given to a server, and with which token.
//
// Up to Vault 1.21 and OpenBao 2.4 anybody may call them. Vault 2.0 wants a token there. OpenBao
// closes them (rekey since 2.5.0, generate-root since 2.5.3), and has others that want a token.
type Endpoints struct {
	// Token authorizes the requests; empty where the server asks for none.
	Token secret.Value
	// Authenticated selects OpenBao's endpoints that always want a token: sys/rotate (since 2.4)
	// in the place of sys/rekey, sys/generate-root-token (since 2.6) in that of sys/generate-root.
	Authenticated bool
}

// root returns a path for generating a root token.
func (e Endpoints) root(verb string) string {
	if e.Authenticated {
		return "sys/generate-root-token/" + verb
	}
	return "sys/generate-root/" + verb
}

// rekey returns a path for exchanging the key shares.
func (e Endpoints) rekey(recovery bool, verb string) string {
	switch {
	case e.Authenticated && recovery:
		return "sys/rotate/recovery/" + verb
	case e.Authenticated:
		return "sys/rotate/root/" + verb
	case recovery:
		return "sys/rekey-recovery-key/" + verb
	default:
		return "sys/rekey/" + verb
	}
}

// RootPaths returns the paths that generate a root token.
func (e Endpoints) RootPaths() []string { return []string{e.root("attempt"), e.root("update")} }

// RekeyPaths returns the paths that exchange the unseal keys, or with recovery the recovery keys.
func (e Endpoints) RekeyPaths(recovery bool) []string {
	return []string{e.rekey(recovery, "init"), e.rekey(recovery, "update"), e.rekey(recovery, "verify")}
}

// ceremony sends one request to an endpoint that takes key shares. Its errors reveal nothing of the
// answer, which may be a secret.
func (r *Replica) ceremony(ctx context.Context, via Endpoints, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	code, body, err := r.rawAs(ctx, via.Token, method, path, in)
	switch {
	case err != nil:
		return err
	case code >= http.StatusMultipleChoices:
		return refusal(method, path, code, body)
	case code == http.StatusNoContent || out == nil:
		return nil
	}
	if via.Authenticated { // an ordinary answer, in an envelope
		var envelope struct {
			Data json.RawMessage `json:"data"`
		}
		if err = json.Unmarshal(body, &envelope); err == nil {
			body = envelope.Data
		}
	}
	if err == nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return fmt.Errorf("%s %s: the answer (%d, %d bytes) is not what was expected", method, path, code, len(body))
	}
	return nil
}
