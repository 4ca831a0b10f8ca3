package walk

import (
	"context"
	"errors"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// driveAsRoot walks as far as possible without a login, generates the root token, and goes on to
// the goal with it. The token is revoked before it returns.
func (w *Walk) driveAsRoot(ctx context.Context, driver func(goal fsm.State) *driver) (outcome fsm.Outcome, err error) {
	keys, err := w.Job.Bootstrap.Records().Keys(ctx)
	if err != nil {
		return outcome, err
	}
	if keys.Set == nil {
		return outcome, fault.Misuse(errors.New("no keys are stored: there is nothing to generate a root token from"), "Check --store, --name and --namespace; to initialize a Vault: vault-bootstrap run.")
	}
	if outcome, err = driver(fsm.Unsealed).Run(ctx); err != nil {
		return outcome, err
	}
	defer func() {
		w.Job.Guard(nil) // even a holder that has lost its lease revokes its own token
		err = errors.Join(err, w.Job.Bootstrap.BreakGlass().End(ctx))
	}()
	if _, _, err = w.Job.Bootstrap.BreakGlass().Make(ctx, *w.Emergency); err != nil {
		return outcome, err
	}
	return driver(w.Job.Goal).Run(ctx)
}

// makeKeys has the server make recovery keys, and retries what may pass.
func (w *Walk) makeKeys(ctx context.Context, reporter report.Reporter) error {
	attempt := 0
	return retry.Do(ctx, newBackoff(), func(ctx context.Context) error {
		err := w.Job.Bootstrap.MakeKeys(ctx, *w.NewKeys)
		if err == nil || ctx.Err() != nil || fault.KindOf(err) != fault.Transient {
			return err
		}
		attempt++
		reporter.Waiting(err, attempt)
		return retry.RetryableError(err)
	})
}
