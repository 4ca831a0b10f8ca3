package walk

import (
	"context"
	"errors"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// Foresee looks at everything that a run looks at, without the Lease and without changing anything,
// and returns what the run would do. There are no replicas if a run would not get as far as to ask
// them.
func (w *Walk) Foresee(ctx context.Context) (fsm.Forecast, fsm.Replicas) {
	w.Job.Guard(Always)
	defer w.Job.Bootstrap.Close(context.WithoutCancel(ctx))
	unwritable := job.Permitted(ctx, w.Job.Store.Preflight)
	if unwritable == nil {
		unwritable = w.Job.Options.Store.RefuseKeys(ctx, w.Job.Store)
	}
	if unwritable != nil && !errors.Is(unwritable, store.ErrImmutable) {
		return fsm.Forecast{Err: unwritable}, nil
	}
	var look *states.Look
	err := job.Permitted(ctx, func(ctx context.Context) (err error) {
		look, err = w.settledLook(ctx)
		return err
	})
	if err != nil {
		return fsm.Forecast{Err: err}, nil
	}
	forecast := states.PlannerFor(w.Job.Bootstrap).Foresee(look, w.Job.Goal)
	if unwritable != nil && forecast.Err == nil && (len(forecast.Events) > 0 || forecast.State != look.Observation.Remembered) {
		// Where a record cannot be written, a run opens sealed replicas, and does nothing else.
		forecast.Err = unwritable
	}
	return forecast, look.Observation.Replicas
}

// settledLook looks until a refusal of our login, if there is one, counts.
func (w *Walk) settledLook(ctx context.Context) (look *states.Look, err error) {
	err = retry.Do(ctx, newBackoff(), func(ctx context.Context) error {
		if look, err = w.look(ctx); err != nil {
			return err
		}
		if trouble := look.Observation.Trouble; trouble != nil && login.Refused(trouble) {
			return retry.RetryableError(trouble)
		}
		return nil
	})
	return look, err
}
