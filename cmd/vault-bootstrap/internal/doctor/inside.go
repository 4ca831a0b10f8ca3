package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// prepare makes the job of a run. Where its seed or its login is not to be had, it makes one without:
// the records and the seal can be judged all the same.
func (e *examination) prepare(ctx context.Context) error {
	if e.inside.prepared {
		return nil
	}
	e.inside.prepared = true
	options := *e.Options
	var err error
	if e.inside.job, err = job.Prepare(ctx, e.Env, "doctor", &options); err == nil {
		return nil
	}
	if fault.KindOf(err) == fault.Seed {
		e.inside.seed, options.Seed = err, nil
		if e.inside.job, err = job.Prepare(ctx, e.Env, "doctor", &options); err == nil {
			return nil
		}
	}
	e.inside.login = err
	options.Login = job.LoginOptions{Methods: []string{"approle"}} // which needs nothing that could be missing
	if options.Store.Keyless() {
		return err
	}
	e.inside.job, err = job.Prepare(ctx, e.Env, "doctor", &options)
	return err
}

// lookAtSeal looks as a run does, and judges what can be seen from outside.
func (e *examination) lookAtSeal(ctx context.Context) finding {
	if err := e.prepare(ctx); err != nil {
		return wrong(err)
	}
	look, err := e.lookOnce(ctx)
	if err != nil {
		return wrong(err)
	}
	e.inside.look, e.inside.outside = look, look.Observation
	o := &e.inside.outside
	o.Login, o.LoginAnswer, o.Root, o.Plan, o.Controls, o.Trouble = fsm.LoginNotTried, "", fsm.NoRoot, fsm.PlanUnknown, fsm.ControlsUnknown, look.Locked
	forecast := fsm.Foresee(*o, fsm.Hardened)
	now := report.NowOf(o.Replicas, "")
	switch {
	case forecast.Err != nil:
		return wrong(forecast.Err)
	case forecast.State == fsm.Uninitialized:
		return ok("uninitialized: 'vault-bootstrap run' initializes it")
	case forecast.State == fsm.Initialized:
		return wrong(fault.Wait(errors.New(o.Replicas.Describe()), "'vault-bootstrap run' unseals it with the stored keys. If that does not help, its output says why."))
	case len(o.Replicas.Pending()) > 0:
		return wrongInPart(fault.Wait(errors.New(now.Text+": "+o.Replicas.Pending().Describe()), "'vault-bootstrap run' joins and unseals what it can."))
	}
	return ok(now.Text)
}

// lookOnce takes the look of a run, or one from outside only if there is no login.
func (e *examination) lookOnce(ctx context.Context) (*states.Look, error) {
	if e.inside.login != nil {
		return e.inside.job.Bootstrap.LookOutside(ctx)
	}
	return e.inside.job.Bootstrap.Look(ctx)
}

// lookAtSeed reads the seed, if one is given.
func (e *examination) lookAtSeed(ctx context.Context) finding {
	if len(e.Options.Seed) == 0 {
		return ok("none is given")
	}
	_ = e.prepare(ctx) // what else is wrong is for other checks
	if e.inside.seed != nil {
		return wrong(e.inside.seed)
	}
	return ok("it can be read")
}

// lookAtLogin says whether our login works.
func (e *examination) lookAtLogin(context.Context) finding {
	o := e.inside.look.Observation
	switch {
	case e.inside.outside.Replicas.LeastState() == fsm.Uninitialized:
		return notChecked("nothing is initialized yet")
	case e.inside.login != nil && e.elsewhere(e.inside.login):
		return notChecked("the credential of a run is not here: " + e.inside.login.Error())
	case e.inside.login != nil:
		return wrong(e.inside.login)
	case o.Root == fsm.LiveRoot:
		return notChecked("the first run is not finished: the next one goes on with the stored root token, which ends then")
	case o.Login == fsm.LoginWorks:
		return ok("it works, by " + e.inside.job.Bootstrap.Access().Methods.Name())
	}
	if refused := o.Trouble; refused != nil && login.Refused(refused) {
		// Whether it counts a run finds out by asking for a while.
		o.Login, o.LoginAnswer, o.Trouble = fsm.LoginRefused, innermost(refused).Error(), nil
	}
	if _, err := fsm.Locate(o); err != nil {
		return wrong(err)
	}
	return wrong(errNoAnswer)
}

// elsewhere reports whether a credential is missing because this is not the pod that has it.
func (e *examination) elsewhere(err error) bool {
	_, inCluster := e.Env("KUBERNETES_SERVICE_HOST")
	given := e.Options.Login.Given
	return !inCluster && errors.Is(err, fs.ErrNotExist) && (given == nil || !given("login-token-file"))
}

// innermost takes the words of waiting off a refusal.
func innermost(err error) error {
	if waits, ok := errors.AsType[*fault.Error](err); ok && waits.Kind == fault.Transient {
		if inner := errors.Unwrap(waits.Err); inner != nil {
			return inner
		}
	}
	return err
}

// lookAtPolicy says whether our login may do what a run needs.
func (e *examination) lookAtPolicy(context.Context) finding {
	trouble := e.inside.look.Observation.Trouble
	switch {
	case trouble == nil && len(e.Options.Seed) == 0:
		return ok("our login may do what a run without a seed needs")
	case trouble == nil:
		return ok("our login may do all that the seed needs")
	case fault.RemedyOf(trouble) != "":
		return wrong(trouble)
	}
	return wrong(fault.Wait(trouble, "If it goes on, our policy may have been changed: 'vault-bootstrap break-glass run --reason=WHY' with the flags of a run writes it again."))
}

// lookAhead says what a run would do.
func (e *examination) lookAhead(context.Context) finding {
	forecast := states.PlannerFor(e.inside.job.Bootstrap).Foresee(e.inside.look, e.inside.job.Goal)
	if forecast.Err != nil {
		return wrong(forecast.Err)
	}
	return ok(fmt.Sprint(report.NextOf(forecast, e.inside.look.Observation.Replicas, true).Text))
}
