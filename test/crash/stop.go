package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// stoppedAt stops a holder at a point for longer than its Lease lives, until another
// run has taken over and finished, and lets it go on: it must start no request, and
// change no record.
func stoppedAt(point string) act {
	return func(ctx context.Context, sc *scene) error {
		late, err := sc.suspended(ctx, point)
		if err != nil {
			return err
		}
		end, err := sc.finish(ctx, sc.options())
		if err != nil {
			return err
		}
		if end.code != exitDone {
			return fmt.Errorf("the run that took over exited with %d\n%s", end.code, end.stderr)
		}
		before, err := sc.revisions(ctx)
		if err != nil {
			return err
		}
		resumed := time.Now()
		if err := late.resume(ctx, point); err != nil {
			return err
		}
		end = late.wait()
		sc.say("resumed: exit %d", end.code)
		if end.code != exitBusy && point != "entered.hardened" { // where nothing was left to do
			return fmt.Errorf("the resumed run exited with %d\n%s", end.code, end.stderr)
		}
		return sc.wroteNothing(ctx, resumed, before, end)
	}
}

// suspended starts a run with taps of its own and stops it.
func (sc *scene) suspended(ctx context.Context, point string) (*process, error) {
	o := sc.stopping(point)
	var err error
	if o.addresses, err = sc.front(); err != nil {
		return nil, err
	}
	return sc.startStopped(ctx, o)
}

func (sc *scene) wroteNothing(ctx context.Context, since time.Time, before string, end end) error {
	var errs []error
	for _, t := range sc.fronts {
		for _, r := range t.requests(since) {
			errs = append(errs, fmt.Errorf("the resumed run sent %s %s", r.method, r.path))
		}
	}
	after, err := sc.revisions(ctx)
	if err != nil {
		return err
	}
	if after != before {
		errs = append(errs, fmt.Errorf("the resumed run wrote: the records were at %s, and are at %s", before, after))
	}
	if len(errs) > 0 {
		errs = append(errs, errors.New(end.stderr))
	}
	return errors.Join(errs...)
}

// stoppedElsewhere stops a holder that has Vault's answer in a spool that others
// do not see, as in another pod. Who takes over finds nothing and says so; when the
// holder goes on, its keys must still arrive.
func stoppedElsewhere(ctx context.Context, sc *scene) error {
	late, err := sc.suspended(ctx, pointSpooled)
	if err != nil {
		return err
	}
	end, err := sc.finish(ctx, sc.options("--spool-dir="+filepath.Join(sc.dir, "elsewhere")))
	if err != nil {
		return err
	}
	if end.code != exitTerminal || end.name != losses[0] {
		return fmt.Errorf("the run that took over without the spool exited with %d\n%s", end.code, end.stderr)
	}
	resumed := time.Now()
	if err := late.resume(ctx, pointSpooled); err != nil {
		return err
	}
	end = late.wait()
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	if keys.Set == nil {
		return fmt.Errorf("the keys of the resumed run never arrived (exit %d)\n%s", end.code, end.stderr)
	}
	for _, r := range sc.fronts[0].requests(resumed) {
		return fmt.Errorf("the resumed run sent %s %s", r.method, r.path)
	}
	return nil
}
