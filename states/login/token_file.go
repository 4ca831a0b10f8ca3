package login

import (
	"context"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// TokenFile uses a token in a file that somebody else, such as Vault Agent, keeps alive. We do not
// revoke it.
type TokenFile struct {
	// Token reads the token again for each run.
	Token func() (secret.Value, error)
	// Policy is the policy that the token must carry.
	Policy string
}

// Name returns the method's name.
func (t TokenFile) Name() string { return "token-file" }

// Objects returns nothing: whoever issues the token decides how.
func (t TokenFile) Objects(string) []object.Object { return nil }

// Open takes the token as it is now. There is no login.
func (t TokenFile) Open(ctx context.Context, dialer Dialer, address string, _ store.Keys) (*vault.Session, error) {
	token, err := t.Token()
	if err != nil {
		return nil, err
	}
	session, err := dialer.Session(address, token)
	if err == nil {
		_, err = session.Identity(ctx)
	}
	return session, err
}

// Lends returns true: somebody else keeps the token alive, and revokes it.
func (t TokenFile) Lends() bool { return true }

// Settles returns some seconds: the file may be about to be renewed.
func (t TokenFile) Settles() time.Duration { return 5 * time.Second }

// Denied says what 'permission denied' means.
func (t TokenFile) Denied() (part, remedy string) { return defaultDenied() }

// Hint says what the token needs.
func (t TokenFile) Hint() string {
	return fmt.Sprintf("The token in the file must be alive, an orphan, and carry the policy %q.", t.Policy)
}

// Flags returns the flags that choose this login.
func (t TokenFile) Flags() string { return "--login=token-file" }
