package ceremony

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Credential is the login for ceremonies.
type Credential interface {
	// MakeCredential creates a credential with a session that may, and destroys the former one
	// after keep has stored the new one.
	MakeCredential(ctx context.Context, session *vault.Session, former *store.AppRole, keep func(store.AppRole) error) error
}

// RenewCredential exchanges the credential for ceremonies, if there is one, by our own login.
func RenewCredential(ctx context.Context, a *Administrator, of Credential) (renewed bool, err error) {
	keys, err := a.Records.Keys(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the keys: %w", err)
	}
	if keys.Ceremony == nil {
		return false, nil
	}
	if len(a.LogIns) == 0 {
		return false, errors.New("there is no login of our own")
	}
	replica, err := a.activeOfOurs(ctx, keys)
	if err != nil {
		return false, err
	}
	session, end, err := a.LogIns[0](ctx, replica.Address(), keys)
	if err != nil {
		return false, err
	}
	defer end(context.WithoutCancel(ctx))
	return true, of.MakeCredential(ctx, session, keys.Ceremony, func(credential store.AppRole) error {
		point.Reach("rotate.credential")
		return a.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
			keys.Ceremony = &credential
			return nil
		})
	})
}

// Trial is one thing that was tried, and what came of it.
type Trial struct {
	Name string
	// Err is nil if it works. Skipped says why it was not tried.
	Err     error
	Skipped string
}

// TryKeys tries what the record holds against the active node: the shares, by a rekey that is
// cancelled before it changes anything, and each login that could authorize a ceremony, by asking
// for the state of both ceremonies with it.
func TryKeys(ctx context.Context, a *Administrator) ([]Trial, error) {
	keys, err := a.Records.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	replica, err := a.activeOfOurs(ctx, keys)
	if err != nil {
		return nil, err
	}
	recovery := keys.Set.Kind == store.RecoveryKeys
	shares := Trial{Name: string(keys.Set.Kind) + " keys"}
	if held := keys.Set.Shares; len(held) < keys.Set.Threshold || len(held) == 0 {
		shares.Skipped = "the record does not hold them"
	} else {
		shares.Err = a.proveByRekey(ctx, replica, keys, recovery, secret.Value{}, held[:keys.Set.Threshold])
	}
	trials := []Trial{shares}
	for i, logIn := range a.LogIns {
		trial := Trial{Name: "our own login"}
		if i > 0 {
			trial.Name = "credential for ceremonies"
		}
		session, end, err := logIn(ctx, replica.Address(), keys)
		switch {
		case err != nil:
			trial.Err = err
		case session == nil:
			continue
		case i > 0:
			trial.Err = reaches(ctx, a, replica.Address(), keys, session.Token())
			end(context.WithoutCancel(ctx))
		default:
			end(context.WithoutCancel(ctx))
		}
		trials = append(trials, trial)
	}
	return trials, nil
}

// reaches reports what keeps a token from the endpoints that take key shares.
func reaches(ctx context.Context, a *Administrator, address string, keys store.Keys, token secret.Value) error {
	replica := a.Cluster.At(address)
	if _, _, err := a.enterRoot(ctx, replica, keys, token); err != nil {
		return err
	}
	_, _, err := a.enterRekey(ctx, replica, keys, keys.Set.Kind == store.RecoveryKeys, token)
	return err
}
