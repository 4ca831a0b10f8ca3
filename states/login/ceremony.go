package login

import (
	"context"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Ceremony is the login for the day on which our own no longer works, at a server that takes key
// shares from nobody without a token: an AppRole on a mount of its own, whose policy names the
// endpoints for key shares and nothing else. Its credential lies beside the shares.
type Ceremony struct {
	// Name is that of the mount, of the role and of the policy.
	Name string
}

// NewCeremony returns the login beside our own, which is called name.
func NewCeremony(name string) Ceremony { return Ceremony{name + "-ceremony"} }

// ceremonyTokenLife is enough for one ceremony whose shares are on record.
const ceremonyTokenLife = "5m"

// Objects returns the mount, the role and the policy, whose text is given.
func (c Ceremony) Objects(text string) []object.Object {
	life := map[string]any{"token_ttl": ceremonyTokenLife, "token_max_ttl": ceremonyTokenLife}
	return []object.Object{
		object.AuthMount(c.Name, "approle", nil),
		object.Role(c.Name, "approle", c.Name, tokenFields(c.Name, life)),
		object.Policy(c.Name, text),
	}
}

// Open logs in with the credential on record.
func (c Ceremony) Open(ctx context.Context, dialer Dialer, address string, keys store.Keys) (*vault.Session, error) {
	keys.AppRole = keys.Ceremony
	return AppRole{c.Name, c.Name}.Open(ctx, dialer, address, keys)
}

// RenewPaths returns the paths that MakeCredential writes to and reads.
func (c Ceremony) RenewPaths() (written, read []string) {
	role := "auth/" + c.Name + "/role/" + c.Name
	return []string{role + "/custom-secret-id", role + "/secret-id/destroy"}, []string{role + "/role-id"}
}

// MakeCredential creates a secret ID, has keep store it, and destroys the former one. A process
// that ends between the first two leaves a secret ID that nobody knows, and the former one works.
func (c Ceremony) MakeCredential(ctx context.Context, session *vault.Session, former *store.AppRole, keep func(store.AppRole) error) error {
	written, _ := c.RenewPaths()
	credential, err := newCredential(ctx, session, "auth/"+c.Name+"/role/"+c.Name)
	if err != nil {
		return err
	}
	if _, err := session.Write(ctx, written[0], map[string]any{"secret_id": credential.SecretID.Reveal()}); err != nil {
		return err
	}
	if err := keep(credential); err != nil {
		return err
	}
	if former == nil || former.RoleID != credential.RoleID {
		return nil
	}
	if _, err := session.Write(ctx, written[1], map[string]any{"secret_id": former.SecretID.Reveal()}); err != nil {
		return fmt.Errorf("destroying the former secret ID: %w", err)
	}
	return nil
}
