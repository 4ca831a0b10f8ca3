package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Token is what Vault shows of a token by its accessor, which grants nothing.
type Token struct {
	Accessor string
	// Path is where it was created: auth/token/root for tokens of sys/init and generate-root.
	Path     string
	Display  string
	Policies []string
	Orphan   bool
	Created  time.Time
	// Expires is zero for a token that never expires.
	Expires time.Time
}

// Root reports whether the token may do everything.
func (t Token) Root() bool { return slices.Contains(t.Policies, "root") }

// Accessors lists the accessors of all tokens: its cost grows with their number.
func (s *Session) Accessors(ctx context.Context) ([]string, error) {
	names, _, err := s.List(ctx, "auth/token/accessors")
	return names, err
}

// Lookup looks up the accessor's token, and returns false if it does not exist or no longer does.
func (s *Session) Lookup(ctx context.Context, accessor string) (Token, bool, error) {
	data, err := s.Write(ctx, "auth/token/lookup-accessor", map[string]any{"accessor": accessor})
	switch {
	case Says(err, product.InvalidAccessor), httpstatus.Of(err) == http.StatusNotFound:
		return Token{}, false, nil
	case err != nil:
		return Token{}, false, err
	}
	token := Token{Accessor: accessor, Policies: texts(data["policies"])}
	token.Path, _ = data["path"].(string)
	token.Display, _ = data["display_name"].(string)
	token.Orphan, _ = data["orphan"].(bool)
	if seconds, ok := data["creation_time"].(json.Number); ok {
		if unix, err := seconds.Int64(); err == nil {
			token.Created = time.Unix(unix, 0).UTC()
		}
	}
	if text, ok := data["expire_time"].(string); ok {
		if token.Expires, err = time.Parse(time.RFC3339, text); err != nil {
			return Token{}, false, fmt.Errorf("reading when the token of an accessor expires: %w", err)
		}
	}
	return token, true, nil
}

// RevokeAccessor revokes the token of an accessor.
func (s *Session) RevokeAccessor(ctx context.Context, accessor string) error {
	_, err := s.Write(ctx, "auth/token/revoke-accessor", map[string]any{"accessor": accessor})
	if Says(err, product.InvalidAccessor) {
		return nil // it has ended already
	}
	return err
}

// ReasonHeader carries the reason for which a root token is used. Vault writes it into its audit
// log where sys/config/auditing/request-headers names it.
const ReasonHeader = "X-Vault-Bootstrap-Reason"

// SetReason sends reason with every request of the session from now on.
func (s *Session) SetReason(reason string) { s.client.AddHeader(ReasonHeader, reason) }

// Token returns the session's token, for a child process that uses it.
func (s *Session) Token() secret.Value { return secret.New(s.client.Token()) }
