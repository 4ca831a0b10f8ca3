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

// Userpass logs in with a user of our own, whose password is in a file.
type Userpass struct {
	// Mount is the auth method's path, User the user's name.
	Mount, User string
	// Password reads the password.
	Password func() (secret.Value, error)
	// Known is the password as it was at the start, for the user's object.
	Known secret.Value
}

// Name returns the method's name.
func (u Userpass) Name() string { return "userpass" }

// Objects returns the mount and the user.
func (u Userpass) Objects(policy string) []object.Object {
	return []object.Object{
		object.AuthMount(u.Mount, "userpass", nil),
		object.User(u.Mount, u.User, tokenFields(policy, map[string]any{"password": u.Known})),
	}
}

// Path returns the login's path.
func (u Userpass) Path() string { return u.Mount + "/login/" + u.User }

// Credential returns the password.
func (u Userpass) Credential(context.Context, store.Keys) (map[string]secret.Value, error) {
	password, err := u.Password()
	return map[string]secret.Value{"password": password}, err
}

// Open logs in with the password as it is now.
func (u Userpass) Open(ctx context.Context, dialer Dialer, address string, keys store.Keys) (*vault.Session, error) {
	return present(ctx, dialer, address, u, keys)
}

// Settles returns 0: Vault asks nobody else.
func (u Userpass) Settles() time.Duration { return 0 }

// Denied says what 'permission denied' means.
func (u Userpass) Denied() (part, remedy string) { return defaultDenied() }

// Hint says what userpass needs.
func (u Userpass) Hint() string {
	return fmt.Sprintf("Check the user %q of the auth method %q.", u.User, u.Mount)
}

// Flags returns the flags that choose this login.
func (u Userpass) Flags() string { return "--login=userpass --login-path=" + u.Mount }
