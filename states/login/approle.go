package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// AppRole logs in with a secret ID that is kept in the keys record. It is for platforms that give a
// program no identity of its own.
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

// Open logs in with the stored role ID and secret ID.
func (a AppRole) Open(ctx context.Context, dialer Dialer, address string, keys store.Keys) (*vault.Session, error) {
	return present(ctx, dialer, address, a, keys)
}

// Settles returns 0: AppRole asks nobody else, so its answer is final.
func (a AppRole) Settles() time.Duration { return 0 }

// Denied says what 'permission denied' means.
func (a AppRole) Denied() (part, remedy string) { return defaultDenied() }

// Hint says what AppRole needs.
func (a AppRole) Hint() string {
	return fmt.Sprintf("Check the role %q of the auth method %q.", a.RoleName, a.Mount)
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

// MakeCredential creates a secret ID with root. keep stores it before Vault gets it, so that Vault
// never has a secret ID that nobody holds.
func (a AppRole) MakeCredential(ctx context.Context, root *vault.Session, keep func(store.AppRole) error) error {
	path := "auth/" + a.Mount + "/role/" + a.RoleName
	credential, err := newCredential(ctx, root, path)
	if err != nil {
		return err
	}
	if err := keep(credential); err != nil {
		return err
	}
	point.Reach("harden.credential")
	_, err = root.Write(ctx, path+"/custom-secret-id", map[string]any{"secret_id": credential.SecretID.Reveal()})
	return err
}

// newCredential returns a secret ID, which Vault does not know yet, for the role at path.
func newCredential(ctx context.Context, session *vault.Session, path string) (store.AppRole, error) {
	data, found, err := session.Read(ctx, path+"/role-id")
	if !found {
		err = errors.Join(err, errors.New("the role has no ID"))
	}
	roleID, _ := data["role_id"].(string)
	return store.AppRole{RoleID: roleID, SecretID: secret.New(rand.Text())}, err
}
