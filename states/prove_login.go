package states

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// proveLogin shows that our own login works and may do all that a later run needs. Of
// several methods each one is tried: one of them must work, and those that do must all
// be strong enough, since a later run takes the first that lets it in. What does not
// work is said, since nobody will notice before it is needed.
func (b *Bootstrap) proveLogin(ctx context.Context, address string, look *Look) error {
	b.logout(ctx)
	var refused []error
	for _, way := range b.ownWays() {
		session, err := b.loginWithCredential(ctx, way.Login, address, look)
		if err != nil {
			if err = b.explain(ctx, way.Login, address, err); ctx.Err() != nil {
				return err
			}
			refused = append(refused, err)
			continue
		}
		if err := b.proveSession(ctx, session); err != nil {
			b.end(ctx, session, way.lent())
			return fmt.Errorf("by %s: %w", way.Name(), err)
		}
		if b.own != nil {
			b.end(ctx, session, way.lent())
			continue
		}
		b.own, b.ownAt, b.ownLent, b.ownReads = session, address, way.lent(), false
	}
	if b.own == nil {
		return b.noLogin(refused)
	}
	for _, err := range refused {
		b.Log.Warn("a login that later runs could fall back on does not work", "error", err.Error())
	}
	return nil
}

// noLogin is the error when no method works: what waiting may mend, unless all of them
// are for a person to mend.
func (b *Bootstrap) noLogin(refused []error) error {
	err := fmt.Errorf("our own login does not work yet: %w", errors.Join(refused...))
	for _, each := range refused {
		if fault.KindOf(each) == fault.Transient {
			return fault.Wait(err, b.Login.Hint())
		}
	}
	return errors.Join(refused...)
}

// loginWithCredential logs in by one method, and makes the credential first where that
// is for us to make.
func (b *Bootstrap) loginWithCredential(ctx context.Context, method Login, address string, look *Look) (*vault.Session, error) {
	keys := look.StoredKeys
	session, err := b.loginBy(ctx, method, address, keys)
	role, ours := method.(AppRole)
	if !ours || !errors.Is(err, ErrNoCredential) && !vault.Refused(err) {
		return session, err
	}
	if err := b.makeCredential(ctx, b.behind(look.root), role); err != nil {
		return nil, fmt.Errorf("making a credential for our login: %w", err)
	}
	if keys, err = b.Records.Keys(ctx); err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	return b.loginBy(ctx, method, address, keys)
}

// proveSession makes sure that the token of a login outlives root, and suffices.
func (b *Bootstrap) proveSession(ctx context.Context, session *vault.Session) error {
	if err := livesAlone(ctx, session); err != nil {
		return err
	}
	missing, err := b.missingPrivileges(ctx, session.View())
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fault.Stop("login too weak", fmt.Errorf("our own login lacks %s", list(missing, 5)),
			"Something in Vault takes away what our policy grants: look for a deny rule in another policy of the role. The root token is kept until this is mended.")
	}
	return nil
}

// makeCredential makes an AppRole's secret ID. It is stored before Vault learns it, so
// that no secret ID is ever in Vault that nobody holds.
func (b *Bootstrap) makeCredential(ctx context.Context, root *vault.Session, role AppRole) error {
	if root == nil {
		return errors.New("there is no session with the root token")
	}
	path := "auth/" + role.Mount + "/role/" + role.RoleName
	data, found, err := root.Read(ctx, path+"/role-id")
	if err != nil || !found {
		return errors.Join(err, errIf(!found, "the role has no ID"))
	}
	roleID, _ := data["role_id"].(string)
	credential := store.AppRole{RoleID: roleID, SecretID: newSecret()}
	err = b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		keys.AppRole = &credential
		return nil
	})
	if err != nil {
		return err
	}
	point.Reach("harden.credential")
	_, err = root.Write(ctx, path+"/custom-secret-id", map[string]any{"secret_id": credential.SecretID.Reveal()})
	return err
}
