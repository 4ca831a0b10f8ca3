package states

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// harden proves that later runs can do without root, then ends the root token and
// forgets it.
func (b *Bootstrap) harden(ctx context.Context, o fsm.Observation) error {
	active, found := o.Active()
	if !found {
		return errors.New("no replica is active")
	}
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	fixed, err := b.fixControls(ctx)
	if err != nil || fixed && keys.Root == nil && b.glass == nil {
		return err // what is left is for the next look to say
	}
	if keys.Root == nil && b.glass == nil {
		return b.unmet()
	}
	if o.Root == fsm.LiveRoot {
		if err := b.proveLogin(ctx, active.Address, keys); err != nil {
			return err
		}
		if err := b.revokeRoot(ctx, keys); err != nil {
			return fmt.Errorf("revoking the root token: %w", err)
		}
	}
	point.Reach("harden.revoked")
	if keys.Attempt != nil {
		// A run that was killed between storing the keys and forgetting the spool left
		// it; what opens it is dropped below.
		b.unspool(keys.Attempt.ID)
	}
	return b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		keys.Root = nil
		// The stored shares have unsealed Vault: the answer as it came, and the key
		// that opens it, have done their service.
		if keys.Attempt != nil {
			keys.Attempt.PrivateKey, keys.Attempt.Answer = secret.Value{}, nil
		}
		return nil
	})
}

// unmet names the required controls that nothing here can put right.
func (b *Bootstrap) unmet() error {
	var names, remedies []string
	for _, result := range harden.Failed(b.Controls, true) {
		names = append(names, fmt.Sprintf("%s (%s)", result.Name, result.Seen))
		remedies = append(remedies, result.Remedy)
	}
	if len(names) == 0 {
		return nil
	}
	return fault.Stop("control fails", fmt.Errorf("required controls do not hold: %s", strings.Join(names, "; ")), strings.Join(remedies, " "))
}

// proveLogin shows that our own login works and may do all that a later run needs.
func (b *Bootstrap) proveLogin(ctx context.Context, address string, keys store.Keys) error {
	session, err := b.login(ctx, address, keys)
	if errors.Is(err, ErrNoCredential) || err != nil && vault.Refused(err) {
		made, makeErr := b.makeCredential(ctx)
		if makeErr != nil {
			return fmt.Errorf("making a credential for our login: %w", makeErr)
		}
		if made {
			if keys, err = b.Records.Keys(ctx); err == nil {
				session, err = b.login(ctx, address, keys)
			}
		}
	}
	if err != nil && fault.KindOf(err) != fault.Transient {
		return err
	}
	if err != nil {
		return fault.Wait(fmt.Errorf("our own login does not work yet: %w", err), b.Login.Hint())
	}
	if err := livesAlone(ctx, session); err != nil {
		return err
	}
	missing, err := b.missingPrivileges(ctx, session)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fault.Stop("login too weak", fmt.Errorf("our own login lacks %s", list(missing, 5)),
			"Something in Vault takes away what our policy grants: look for a deny rule in another policy of the role. The root token is kept until this is mended.")
	}
	return nil
}

// makeCredential gives our login a credential where it needs one from Vault: an
// AppRole's secret ID. It is stored before Vault learns it, so that no secret ID
// is ever in Vault that nobody holds.
func (b *Bootstrap) makeCredential(ctx context.Context) (bool, error) {
	var role AppRole
	for _, method := range methods(b.Login) {
		if found, ok := method.(AppRole); ok {
			role = found
		}
	}
	if role.RoleName == "" {
		return false, nil
	}
	path := "auth/" + role.Mount + "/role/" + role.RoleName
	data, found, err := b.root.Read(ctx, path+"/role-id")
	if err != nil || !found {
		return false, errors.Join(err, errIf(!found, "the role has no ID"))
	}
	roleID, _ := data["role_id"].(string)
	credential := store.AppRole{RoleID: roleID, SecretID: newSecret()}
	err = b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		keys.AppRole = &credential
		return nil
	})
	if err != nil {
		return false, err
	}
	point.Reach("harden.credential")
	_, err = b.root.Write(ctx, path+"/custom-secret-id", map[string]any{"secret_id": credential.SecretID.Reveal()})
	return err == nil, err
}

func errIf(condition bool, text string) error {
	if condition {
		return errors.New(text)
	}
	return nil
}
