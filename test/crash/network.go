package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// ended judges the end of a run that was disturbed: it may have failed, but not
// with a terminal error that is not allowed here. One that is allowed has its remedy.
func (sc *scene) ended(ctx context.Context, end driver.Result) error {
	switch end.Code {
	case exitTerminal:
		return sc.lose(ctx, end)
	case exitUsage, -1:
		return fmt.Errorf("the disturbed run exited with %d\n%s", end.Code, end.Stderr)
	default:
		return nil
	}
}

// disturbed runs with a fault in place.
func (sc *scene) disturbed(ctx context.Context) error {
	end, err := sc.finish(ctx, sc.options())
	if err != nil {
		return err
	}
	return sc.ended(ctx, end)
}

func answerCut(ctx context.Context, sc *scene) error {
	hits := sc.lines[0].http.Inject(testbed.Fault{Method: http.MethodPut, Path: initPath, After: true, Cut: true, Times: 1})
	end, err := sc.finish(ctx, sc.options())
	if err != nil {
		return err
	}
	if hits() == 1 {
		sc.excuse = "the network"
	}
	return sc.ended(ctx, end)
}

func answerHalved(ctx context.Context, sc *scene) error {
	sc.lines[0].tap.breakAnswer(true)
	end, err := sc.finish(ctx, sc.options())
	if err != nil {
		return err
	}
	if sc.undelivered() {
		sc.excuse = "the network"
	}
	return sc.ended(ctx, end)
}

// vaultTroubles are answers of a Vault, or of what is before it, that may be better
// next time.
var vaultTroubles = []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusTooManyRequests}

// initRefused has sys/init fail before Vault sees it. The run cannot know that.
func initRefused(ctx context.Context, sc *scene) error {
	status := vaultTroubles[sc.rng.IntN(len(vaultTroubles))]
	times := 1 + sc.rng.IntN(2)
	sc.say("%d × %d", times, status)
	sc.lines[0].http.Inject(testbed.Fault{Method: http.MethodPut, Path: initPath, Status: status, Body: `{"errors":["injected"]}`, Times: times})
	return sc.disturbed(ctx)
}

// pause waits, which is what a held line or an absent server is about.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// between returns a random time.
func (sc *scene) between(least, most time.Duration) time.Duration {
	return least + time.Duration(sc.rng.Float64()*float64(most-least))
}

// connectionsHeld lets nothing pass for a while.
func connectionsHeld(ctx context.Context, sc *scene) error {
	p, err := sc.atSomeMoment(ctx, func(*driver.Process) error {
		sc.lines[0].tcp.Hold()
		defer sc.lines[0].tcp.Restore()
		return pause(ctx, sc.between(time.Second, 5*time.Second))
	})
	if err != nil {
		return err
	}
	return sc.ended(ctx, p.Wait())
}

// connectionsReset breaks all connections, and new ones for a while.
func connectionsReset(ctx context.Context, sc *scene) error {
	p, err := sc.atSomeMoment(ctx, func(*driver.Process) error {
		defer sc.lines[0].tcp.Restore()
		err := sc.strike(ctx, "the network", func() error {
			sc.lines[0].tcp.Cut()
			return nil
		})
		return errors.Join(err, pause(ctx, sc.between(100*time.Millisecond, time.Second)))
	})
	if err != nil {
		return err
	}
	return sc.ended(ctx, p.Wait())
}

// answersSpoilt spoils some requests on any path but sys/init, before or after Vault
// has handled them.
func answersSpoilt(ctx context.Context, sc *scene) error {
	fault := testbed.Fault{Path: "/v1/*", Times: 1 + sc.rng.IntN(6), After: sc.rng.IntN(2) == 0, Body: `{"errors":["injected"]}`}
	if sc.rng.IntN(3) == 0 {
		fault.Cut = true
	} else {
		fault.Status = vaultTroubles[sc.rng.IntN(len(vaultTroubles))]
	}
	sc.say("%d × %s", fault.Times, describe(fault))
	p, err := sc.atSomeMoment(ctx, func(*driver.Process) error {
		sc.lines[0].http.Inject(testbed.Fault{Method: http.MethodPut, Path: initPath}) // the first that fits; it does nothing
		sc.lines[0].http.Inject(fault)
		return nil
	})
	if err != nil {
		return err
	}
	return sc.ended(ctx, p.Wait())
}

func describe(f testbed.Fault) string {
	what := fmt.Sprint(f.Status)
	if f.Cut {
		what = "cut"
	}
	if f.After {
		return what + " after it was handled"
	}
	return what
}
