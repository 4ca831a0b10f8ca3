package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// exchangeTerminated checks an exchange that was terminated: it has cleaned up itself.
// Only what rests on new shares that are stored may be left to the next run.
func (sc *scene) exchangeTerminated(ctx context.Context) error {
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	if keys.Rotation != nil && keys.Rotation.Set != nil {
		sc.say("new shares are stored")
		return nil
	}
	if err := sc.nothingUnderway(ctx); err != nil {
		return fmt.Errorf("after the terminated %q: %w", sc.verb, err)
	}
	return nil
}

// again runs the verb of the case undisturbed.
func (sc *scene) again(ctx context.Context) error {
	end, err := sc.finish(ctx, sc.victim())
	if err == nil && end.Code != exitDone {
		err = fmt.Errorf("another %q exited with %d\n%s", sc.verb, end.Code, end.Stderr)
	}
	return err
}

// thenRestarted restarts Vault after the violence, before any run: what is stored then
// has to open it. It leaves Vault sealed, so that the next run has to find out too.
func thenRestarted(do act) act {
	return func(ctx context.Context, sc *scene) error {
		if err := do(ctx, sc); err != nil {
			return err
		}
		keys, err := sc.keys(ctx)
		if err != nil {
			return err
		}
		node := sc.vault.Nodes[0]
		if err := node.Restart(ctx); err != nil {
			return err
		}
		if err := sc.openWith(ctx, node, keys); err != nil {
			return err
		}
		return node.Restart(ctx)
	}
}

// unopenedError says that no stored shares open Vault.
type unopenedError struct{ why error }

func (e *unopenedError) Error() string {
	return "the stored shares do not open Vault: " + e.why.Error()
}

// openWith unseals a server with what is stored: the set in force, or else the one
// that was about to be.
func (sc *scene) openWith(ctx context.Context, node *testbed.VaultNode, keys driver.KeysRecord) error {
	sets := []*driver.KeySet{keys.Set}
	if keys.Rotation != nil {
		sets = append(sets, keys.Rotation.Set)
	}
	var errs []error
	for i, set := range sets {
		if set == nil {
			continue
		}
		open, err := tryShares(ctx, node, *set)
		if open {
			if i > 0 {
				sc.say("the new shares were in force")
			}
			return nil
		}
		errs = append(errs, err)
	}
	return &unopenedError{errors.Join(errs...)}
}

// tryShares gives shares to a sealed server once. Vault refuses the last one if they
// are not its own, and forgets them.
func tryShares(ctx context.Context, node *testbed.VaultNode, set driver.KeySet) (open bool, err error) {
	var said struct{ Sealed bool }
	for _, share := range set.Shares[:set.Threshold] {
		if err := node.Call(ctx, http.MethodPut, "sys/unseal", "", map[string]string{"key": share}, &said); err != nil {
			return false, err
		}
	}
	if said.Sealed {
		err = fmt.Errorf("%d shares were taken and Vault stays sealed", set.Threshold)
	}
	return err == nil, err
}

// underwayError is an exchange of keys or a root token of ours in the making that is left.
type underwayError struct{ what string }

func (e *underwayError) Error() string { return e.what + " of ours is left" }

// nothingUnderway reads, from Vault and from the record, that nothing is half done.
// Nobody else begins anything here, so that what is in progress is ours.
func (sc *scene) nothingUnderway(ctx context.Context) error {
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	var errs []error
	if keys.Rotation != nil {
		errs = append(errs, &underwayError{"a recorded rotation"})
	}
	if keys.BreakGlass != nil {
		errs = append(errs, &underwayError{"a recorded break-glass"})
	}
	node, err := sc.vault.Active(ctx)
	if err != nil {
		return err
	}
	for path, what := range map[string]string{"sys/rekey/init": "a rekey", "sys/generate-root/attempt": "a generate-root attempt"} {
		var said struct{ Started bool }
		if err := node.Call(ctx, http.MethodGet, path, "", nil, &said); err != nil {
			return err
		}
		if said.Started {
			errs = append(errs, &underwayError{what})
		}
	}
	return errors.Join(errs...)
}

// settled looks at what is left when the work is done. After an exchange that was cut off
// the next one must work, which Vault lets it only with the shares in force.
func (sc *scene) settled(ctx context.Context) error {
	if err := sc.nothingUnderway(ctx); err != nil || !sc.verb.exchanges {
		return err
	}
	before, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	if err := sc.again(ctx); err != nil || !sc.verb.rotates {
		return errors.Join(err, sc.nothingUnderway(ctx))
	}
	after, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	if before.Set == nil || after.Set == nil || before.Set.Shares[0] == after.Set.Shares[0] {
		return errors.New("another exchange has exchanged nothing")
	}
	return sc.nothingUnderway(ctx)
}
