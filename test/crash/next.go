package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// successor is what users have running next, after the violence. It returns how that ended;
// a watch does so when its work is done, or when it has named a terminal error.
type successor struct {
	name string
	run  func(ctx context.Context, sc *scene) (driver.Result, error)
}

// successors are all of them.
var successors = []successor{
	{"run", func(ctx context.Context, sc *scene) (driver.Result, error) { return sc.foreseeing(ctx) }},
	{"watch", func(ctx context.Context, sc *scene) (driver.Result, error) {
		p, err := sc.start(ctx, options{verb: verbWatch})
		if err != nil {
			return driver.Result{}, err
		}
		return sc.watched(ctx, p)
	}},
	{"run and watch", func(ctx context.Context, sc *scene) (driver.Result, error) {
		p, err := sc.start(ctx, options{verb: verbWatch})
		if err != nil {
			return driver.Result{}, err
		}
		ended, err := sc.finish(ctx, sc.options())
		if err != nil || ended.Code != exitDone {
			return ended, errors.Join(err, sc.terminate(p))
		}
		return sc.watched(ctx, p)
	}},
}

// next runs one of the successors.
func (sc *scene) next(ctx context.Context) (driver.Result, error) {
	if p := sc.beside; p != nil { // it runs already, and comes first
		sc.beside = nil
		if sc.verb.company == frozen {
			if err := p.Signal(syscall.SIGCONT); err != nil {
				return driver.Result{}, err
			}
		}
		sc.say("then the other watch")
		return sc.watched(ctx, p)
	}
	chosen := successors[sc.rng.IntN(len(successors))]
	if sc.runsOnly {
		chosen = successors[0]
	}
	sc.say("then %s", chosen.name)
	return chosen.run(ctx, sc)
}

const (
	// hardenTime is how long a watch may take for its work.
	hardenTime = 100 * time.Second
	// longestPause is the longest that a watch waits before it repeats what failed.
	longestPause = 5 * time.Minute
)

// watched waits until a watch leads and everything is done, and ends it. A loss that it names
// is returned as that of a run would be; whatever else it names it must get over by itself,
// now that the violence is over.
func (sc *scene) watched(ctx context.Context, p *driver.Process) (driver.Result, error) {
	if err := p.Until(ctx, leading, 1); err != nil {
		return driver.Result{}, err
	}
	// What has failed for long is not tried again at once.
	limit := hardenTime + sc.lasts() - sc.extra
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("a watch has not hardened Vault in %s", limit))
	defer cancel()
	name := ""
	err := testbed.Poll(bounded, 100*time.Millisecond, "the watch to harden Vault", func(ctx context.Context) error {
		if err := sc.freeAudit(ctx, p.Stderr()); err != nil {
			return testbed.GiveUp(err)
		}
		why := sc.done(ctx)
		if name = driver.Failure(p.Stderr(), losses...); name != "" && why != nil {
			return testbed.GiveUp(fmt.Errorf("it has named %q", name))
		}
		select {
		case <-p.Ended():
			return testbed.GiveUp(fmt.Errorf("the watch has ended by itself with %d", p.Wait().Code))
		default:
			return why
		}
	})
	if name == "" && err != nil {
		return driver.Result{}, fmt.Errorf("%w\n%s", err, p.Stderr())
	}
	if err := sc.terminate(p); err != nil {
		return driver.Result{}, err
	}
	if err != nil {
		return driver.Result{Code: exitTerminal, Failure: name, Stderr: p.Stderr()}, nil
	}
	if sc.verb.proves != nil && sc.done(ctx) != nil {
		// Vault was hardened before the watch came, which was ended in the middle of its first look.
		return driver.Result{Code: exitBusy, Stderr: p.Stderr()}, nil
	}
	return driver.Result{Code: exitDone, Stderr: p.Stderr()}, nil
}

// untilDone waits until the work is done, whoever does it.
func (sc *scene) untilDone(ctx context.Context) error {
	return testbed.Poll(ctx, 50*time.Millisecond, "Vault to be hardened", sc.done)
}

// terminate ends a watch, which is to take that for the end of its work.
func (sc *scene) terminate(p *driver.Process) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if end := p.Wait(); end.Code != exitDone {
		return fmt.Errorf("a terminated watch exited with %d\n%s", end.Code, end.Stderr)
	}
	return nil
}

// done reports why the work is not done, as far as Vault and the records show without any
// key: check proves the rest.
func (sc *scene) done(ctx context.Context) error {
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	state, err := sc.state(ctx)
	if err != nil {
		return err
	}
	spools, _ := filepath.Glob(filepath.Join(sc.spool, "*.spool"))
	switch {
	case keys.Set == nil:
		return errors.New("no keys are stored")
	case keys.Root != nil:
		return errors.New("a root token is on record")
	case state.State != "hardened":
		return fmt.Errorf("the state is %q", state.State)
	case len(spools) > 0:
		return fmt.Errorf("a spool is left: %v", spools)
	}
	for _, node := range sc.vault.Nodes {
		var status struct{ Sealed bool }
		if err := node.Call(ctx, http.MethodGet, "sys/seal-status", "", nil, &status); err != nil {
			return err
		}
		if status.Sealed {
			return fmt.Errorf("%s is sealed", node.Name)
		}
	}
	return errors.Join(sc.nothingUnderway(ctx), sc.applied(ctx))
}
