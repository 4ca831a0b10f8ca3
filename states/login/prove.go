package login

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Prove shows that our own login works and may do all that a later run needs. Of several
// methods each one is tried: one of them must work, and those that do must all be strong
// enough, since a later run takes the first that lets it in. What does not work is logged,
// since nobody will notice before it is needed.
//
// open logs in by one method, suffices fails for a session that is too weak. The first login
// that works is kept.
func (a *Access) Prove(ctx context.Context, address string, open func(context.Context, Method) (*vault.Session, error), suffices func(context.Context, *vault.Session) error) error {
	a.Close(ctx)
	var refused []error
	for _, way := range a.Methods.own() {
		session, err := open(ctx, way.Method)
		if err != nil {
			if err = a.explain(ctx, way.Method, address, err); ctx.Err() != nil {
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
		a.Log.Warn("a login that later runs could fall back on does not work", "error", err.Error())
	}
	return nil
}

// noLogin is the error when no method works: what waiting may mend, unless all of them
// are for a person to mend.
func (a *Access) noLogin(refused []error) error {
	err := fmt.Errorf("our own login does not work yet: %w", errors.Join(refused...))
	for _, each := range refused {
		if fault.KindOf(each) == fault.Transient {
			return fault.Wait(err, a.Hint())
		}
	}
	return errors.Join(refused...)
}
