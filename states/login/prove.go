package login

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Prove proves that our own login works and may do all that a later run needs. It tries every
// method: at least one must work, and all that work must suffice, since a later run takes the first
// that lets it in. A method that does not work is logged, since nobody would notice before it is
// needed.
//
// open logs in by one method; suffices fails for a session that is too weak. The first login that
// works is kept.
func (a *Access) Prove(ctx context.Context, address string, open func(context.Context, Method) (*vault.Session, error), suffices func(context.Context, *vault.Session) error) error {
	a.Close(ctx)
	var refused []error
	for _, way := range a.Methods.own() {
		session, err := open(ctx, way.Method)
		if err != nil {
			if err = a.explain(ctx, way.Method, address, store.Keys{}, err); ctx.Err() != nil {
				return err
			}
			refused = append(refused, err)
			continue
		}
		if err := suffices(ctx, session); err != nil {
			a.end(ctx, session, way.lent())
			return fmt.Errorf("by %s: %w", way.Name(), err)
		}
		if a.kept.session != nil {
			a.end(ctx, session, way.lent())
			continue
		}
		a.kept = kept{session: session, address: address, lent: way.lent()}
	}
	if a.kept.session == nil {
		return a.noLogin(refused)
	}
	for _, err := range refused {
		if text := err.Error(); !slices.Contains(a.unusable, text) {
			a.unusable = append(a.unusable, text)
			a.Log.Warn("a login that later runs could fall back on does not work", "error", text)
		}
	}
	return nil
}

// noLogin returns the error when no method works. It is transient, unless all of them need an
// operator.
func (a *Access) noLogin(refused []error) error {
	err := fmt.Errorf("our own login does not work yet: %w", errors.Join(refused...))
	for _, each := range refused {
		if fault.KindOf(each) == fault.Transient {
			return fault.Wait(err, a.Hint())
		}
	}
	return errors.Join(refused...)
}
