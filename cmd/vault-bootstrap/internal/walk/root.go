package walk

import (
	"context"
	"errors"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// driveAsRoot walks as far as a Vault goes without a login, makes the root token, and
// goes on to the goal with it. The token ends with this function.
func (w *Walk) driveAsRoot(ctx context.Context, driver func(goal fsm.State) *driver) (outcome fsm.Outcome, err error) {
	keys, err := w.Job.Bootstrap.Records().Keys(ctx)
	if err != nil {
		return outcome, err
	}
	if keys.Set == nil {
		return outcome, fault.Misuse(errors.New("no keys are stored: there is nothing that a root token could be made from"), "Check --store, --name and --namespace; to initialize a Vault: vault-bootstrap run.")
	}
	if outcome, err = driver(fsm.Unsealed).Run(ctx); err != nil {
		return outcome, err
	}
	defer func() {
		w.Job.Guard(nil) // a token of our own is ended also by a holder that has lost its lease
		err = errors.Join(err, w.Job.Bootstrap.BreakGlass().End(ctx))
	}()
	if _, _, err = w.Job.Bootstrap.BreakGlass().Make(ctx, *w.Emergency); err != nil {
		return outcome, err
	}
	return driver(w.Job.Goal).Run(ctx)
}
