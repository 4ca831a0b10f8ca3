package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// killAt kills the verb's process, which has stopped at a point.
func killAt(point string) act {
	return func(ctx context.Context, sc *scene) error {
		p, err := sc.stopped(ctx, sc.stopping(point))
		if err != nil {
			return err
		}
		_, err = p.Kill()
		return err
	}
}

// termAt ends it there in the orderly way.
func termAt(point string) act {
	return func(ctx context.Context, sc *scene) error {
		p, err := sc.stopped(ctx, sc.stopping(point))
		if err != nil {
			return err
		}
		if err := errors.Join(p.Signal(syscall.SIGTERM), p.Resume(ctx, point)); err != nil {
			return err
		}
		return sc.terminated(ctx, p.Wait())
	}
}

// terminated checks a process that was terminated: what Vault has answered is stored
// before it does, and an exchange has cleaned up.
func (sc *scene) terminated(ctx context.Context, end driver.Result) error {
	waited := end.Code == exitBusy && strings.Contains(end.Stderr, waitingForLease) // which it never had
	if !slices.Contains(sc.verb.terminated(), end.Code) && !waited {
		return fmt.Errorf("the terminated %q exited with %d\n%s", sc.verb, end.Code, end.Stderr)
	}
	if sc.verb.exchanges {
		if err := sc.exchangeTerminated(ctx); err != nil {
			return fmt.Errorf("%w\n%s", err, end.Stderr)
		}
		return nil
	}
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	for _, init := range sc.inits() {
		if init.status == http.StatusOK && keys.Set == nil && sc.emptied == 0 && sc.verb != verbImport && !sc.leftSpooled(ctx) {
			return fmt.Errorf("the terminated %q ended before the keys were stored\n%s", sc.verb, end.Stderr)
		}
	}
	return nil
}

// leftSpooled reports whether another has left the answer in the spool, and keeps it there:
// the run that the scene began with, or the watch that leads.
func (sc *scene) leftSpooled(ctx context.Context) bool {
	return sc.verb.mends && sc.safe(ctx) || sc.verb.company == above
}

// terminated returns the exit codes that SIGTERM may lead to.
func (v *verb) terminated() []int {
	switch {
	case v.endless || v == verbPostStart:
		return []int{exitDone}
	case v.command != nil: // its code is the command's
		return []int{exitDone, exitTransient, 128 + int(syscall.SIGTERM)}
	default:
		return []int{exitDone, exitTransient}
	}
}

// atSomeMoment starts the verb and calls do at a moment of it. It may be over by then.
func (sc *scene) atSomeMoment(ctx context.Context, do func(p *driver.Process) error) (*driver.Process, error) {
	span := float64(sc.clean[sc.verb.name+sc.storage])
	if sc.inKube {
		span *= 1.5
	}
	moment := time.Duration(sc.rng.Float64() * span)
	p, err := sc.together(ctx, sc.victim())
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.Ended():
		sc.say("it was over before")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return p, do(p)
}

// kill kills a process without warning.
func (sc *scene) kill(ctx context.Context, p *driver.Process) error {
	return sc.strike(ctx, "our process", func() error {
		_, err := p.Kill() // before an answer goes on
		return err
	})
}

func killAtRandom(ctx context.Context, sc *scene) error {
	p, err := sc.atSomeMoment(ctx, func(p *driver.Process) error { return sc.kill(ctx, p) })
	if err != nil {
		return err
	}
	p.Wait()
	return nil
}

func termAtRandom(ctx context.Context, sc *scene) error {
	p, err := sc.atSomeMoment(ctx, func(p *driver.Process) error { return p.Signal(syscall.SIGTERM) })
	if err != nil {
		return err
	}
	end := p.Wait()
	if end.Code == -1 && end.Stderr == "" {
		sc.say("it ended before it listened for signals")
		return nil
	}
	return sc.terminated(ctx, end)
}

// waiting starts the verb and returns it when it waits for the answer to sys/init,
// which Vault has given and a proxy holds back.
func (sc *scene) waiting(ctx context.Context) (*driver.Process, error) {
	l := sc.lines[0]
	l.tap.keepBack(2 * time.Second)
	p, err := sc.start(ctx, sc.victim())
	if err != nil {
		return nil, err
	}
	select {
	case <-l.tap.initBegan:
		return p, nil
	case <-p.Ended():
		return nil, fmt.Errorf("the run ended before sys/init\n%s", p.Wait().Stderr)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func termWhileWaiting(ctx context.Context, sc *scene) error {
	p, err := sc.waiting(ctx)
	if err != nil {
		return err
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	end := p.Wait()
	if len(sc.inits()) != 1 {
		return errors.New("sys/init was not sent once")
	}
	return sc.terminated(ctx, end)
}

func killWhileWaiting(ctx context.Context, sc *scene) error {
	p, err := sc.waiting(ctx)
	if err != nil {
		return err
	}
	return sc.kill(ctx, p)
}
