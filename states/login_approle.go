package states

import (
	"context"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// AppRole logs in with a secret ID that is kept in the keys record. It is for
// places that give a program no identity of its own.
type AppRole struct {
	// Mount is the auth method's path, RoleName the role's name.
	Mount, RoleName string
}

// Objects returns the AppRole mount and role.
func (a AppRole) Objects(policy string) []object.Object {
	return []object.Object{
		object.AuthMount(a.Mount, "approle", nil),
		object.Role(a.Mount, "approle", a.RoleName, tokenFields(policy, nil)),
	}
}

// Path returns the login's path.
func (a AppRole) Path() string { return a.Mount + "/login" }

// Settles returns 0: AppRole asks nobody else, so that its answer is final.
func (a AppRole) Settles() time.Duration { return 0 }

// Hint says what AppRole needs.
func (a AppRole) Hint() string {
	return fmt.Sprintf("Look at the role %q of the auth method %q.", a.RoleName, a.Mount)
}

// Flags returns the flags that choose this login.
func (a AppRole) Flags() string { return "--login=approle --login-path=" + a.Mount }

// Credential returns the stored role ID and secret ID.
func (a AppRole) Credential(_ context.Context, keys store.Keys) (map[string]secret.Value, error) {
	if keys.AppRole == nil {
		return nil, ErrNoCredential
	}
	return map[string]secret.Value{"role_id": secret.New(keys.AppRole.RoleID), "secret_id": keys.AppRole.SecretID}, nil
}

// Name returns the method's name.
func (a AppRole) Name() string { return "approle" }
