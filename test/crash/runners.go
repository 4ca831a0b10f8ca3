package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// together starts several runs at once: one acts, the others find the work done.
func together(runners int) act {
	return func(ctx context.Context, sc *scene) error {
		var running []*driver.Process
		for range runners {
			p, err := sc.start(ctx, sc.options())
			if err != nil {
				return err
			}
			running = append(running, p)
		}
		if err := allDone(running); err != nil {
			return err
		}
		return sc.actedOnce(ctx)
	}
}

func allDone(running []*driver.Process) error {
	var errs []error
	for _, p := range running {
		if end := p.Wait(); end.Code != exitDone {
			errs = append(errs, fmt.Errorf("one of %d runs exited with %d\n%s", len(running), end.Code, end.Stderr))
		}
	}
	return errors.Join(errs...)
}

// actedOnce reads from the history that each step was made once.
func (sc *scene) actedOnce(ctx context.Context) error {
	state, err := sc.state(ctx)
	if err != nil {
		return err
	}
	for _, event := range []string{"initialize", "seed", "harden"} {
		if n := state.count(event); n != 1 {
			return fmt.Errorf("the history has %d × %q", n, event)
		}
	}
	if n := len(sc.inits()); n != 1 {
		return &doubleError{fmt.Sprintf("%d requests", n)}
	}
	return nil
}

// takeoverTime is how long another may take to act once the holder is gone.
const takeoverTime = leaseDuration + 5*time.Second

// waitingForLease is what a run says that is not the holder.
const waitingForLease = "another run holds the lease"

// holderKilled kills the holder at a point while others wait.
func holderKilled(runners int) act {
	return func(ctx context.Context, sc *scene) error {
		points := sc.passed[verbRun]
		point := points[sc.rng.IntN(len(points))]
		sc.say("at %s", point)
		holder, err := sc.startStopped(ctx, sc.stopping(point))
		if err != nil {
			return err
		}
		var others []*driver.Process
		for range runners - 1 {
			p, err := sc.start(ctx, sc.options())
			if err != nil {
				return err
			}
			others = append(others, p)
		}
		// Those that come late may find it done: with files no Lease runs out, in
		// Kubernetes the stopped holder's does.
		for _, p := range others {
			if err := p.Until(ctx, waitingForLease, 1); err != nil {
				return err
			}
		}
		before, err := sc.keys(ctx)
		if err != nil {
			return err
		}
		killed := time.Now()
		if _, err := holder.Kill(); err != nil {
			return err
		}
		if err := sc.takenOver(ctx, before.Epoch, killed); err != nil {
			return err
		}
		return allDone(others)
	}
}

// takenOver waits until a later holder has allocated its epoch.
func (sc *scene) takenOver(ctx context.Context, epoch int64, since time.Time) error {
	ctx, cancel := context.WithDeadlineCause(ctx, since.Add(takeoverTime), fmt.Errorf("nobody took over within %s", takeoverTime))
	defer cancel()
	err := testbed.Poll(ctx, 20*time.Millisecond, "another to take over", func(ctx context.Context) error {
		keys, err := sc.keys(ctx)
		if err == nil && keys.Epoch <= epoch {
			err = errors.New("the epoch is the old one")
		}
		return err
	})
	if err == nil {
		sc.say("taken over after %s", time.Since(since).Round(10*time.Millisecond))
	}
	return err
}
