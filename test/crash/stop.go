package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// stoppedAt stops a holder at a point for longer than its Lease lives, until what comes
// next has taken over and finished, and lets it go on: it must start no request that changes
// anything, and change no record.
func stoppedAt(point string) act {
	return func(ctx context.Context, sc *scene) error {
		o, err := sc.fronted(sc.stopping(point))
		if err != nil {
			return err
		}
		late, err := sc.stopped(ctx, o)
		if err != nil {
			return err
		}
		return sc.outlived(ctx, late, func() error { return late.Resume(ctx, point) })
	}
}

// stoppedAtRandom stops it at any moment.
func stoppedAtRandom(ctx context.Context, sc *scene) error {
	late, err := sc.atSomeMoment(ctx, func(p *driver.Process) error { return p.Signal(syscall.SIGSTOP) })
	if err != nil {
		return err
	}
	return sc.outlived(ctx, late, func() error { return late.Signal(syscall.SIGCONT) })
}

// outlived has others finish the work beside a process that is stopped, and then lets that
// one go on.
func (sc *scene) outlived(ctx context.Context, late *driver.Process, resume func() error) error {
	select {
	case <-late.Ended(): // before it could be stopped
		return nil
	default:
	}
	stopped := time.Now()
	if sc.verb.proves != nil { // a person corrects the seed meanwhile
		if err := sc.mend(ctx); err != nil {
			return err
		}
	}
	if err := sc.startedAgain(ctx); err != nil {
		return err
	}
	for code := exitBusy; code != exitDone; {
		takeover, err := sc.next(ctx)
		if err != nil {
			return err
		}
		if code = takeover.Code; code != exitDone && code != exitBusy {
			return fmt.Errorf("what took over exited with %d\n%s", takeover.Code, takeover.Stderr)
		}
	}
	// Where nothing was left to do, nobody has waited for the Lease.
	if err := pause(ctx, time.Until(stopped.Add(sc.verb.lease()+time.Second))); err != nil {
		return err
	}
	before, err := sc.revisions(ctx)
	if err != nil {
		return err
	}
	resumed := time.Now()
	if err := resume(); err != nil {
		return err
	}
	end, err := sc.wentOn(ctx, late)
	if err != nil {
		return err
	}
	if sc.verb == verbRetire && end.Code == exitUsage {
		return nil // it was stopped before it had the Lease, and has taken it in its turn
	}
	if sc.verb == verbMigrate && strings.HasPrefix(sc.point, pointRecord) {
		return nil // its walk had not begun: it has taken the Lease in its turn
	}
	return sc.wroteNothing(ctx, resumed, before, end)
}

// noticeTime is how long a watch may take to notice that it was away.
const noticeTime = 10 * time.Second

// wentOn waits for the end of a process that was stopped; a watch is ended when it has
// noticed.
func (sc *scene) wentOn(ctx context.Context, late *driver.Process) (driver.Result, error) {
	if sc.verb.endless {
		noticing, cancel := context.WithTimeout(ctx, noticeTime)
		defer cancel()
		if err := late.Until(noticing, leading, 2); err != nil && noticing.Err() == nil {
			return driver.Result{}, err
		}
		err := sc.terminate(late)
		return late.Wait(), err
	}
	ended := late.Wait()
	sc.say("resumed: exit %d", ended.Code)
	// One that had nothing left to do, or needs no Lease, ends well.
	// The keys that 'keys retire' was to put away are put away, and Vault is not empty any more.
	tooLate := sc.verb == verbRetire && ended.Code == exitUsage
	if ended.Code != exitBusy && ended.Code != exitDone && ended.Code != sc.verb.code && !tooLate {
		return ended, fmt.Errorf("the resumed %q exited with %d\n%s", sc.verb, ended.Code, ended.Stderr)
	}
	return ended, nil
}

// fronted has the verb's process be seen by taps of its own.
func (sc *scene) fronted(o options) (options, error) {
	var err error
	o.addresses, err = sc.tapped()
	return o, err
}

// suspended starts a run with taps of its own and stops it.
func (sc *scene) suspended(ctx context.Context, point string) (*driver.Process, error) {
	o, err := sc.fronted(sc.stopping(point))
	if err != nil {
		return nil, err
	}
	return sc.startStopped(ctx, o)
}

// wroteNothing holds that a resumed process has changed nothing. A watch that has taken the
// lead anew since then holds it by right: what it does from there on is not judged here, but
// by the state in which it leaves everything.
func (sc *scene) wroteNothing(ctx context.Context, since time.Time, before string, end driver.Result) error {
	var errs []error
	led := leadTaken(end.Stderr, since)
	for _, t := range sc.fronts {
		for _, r := range t.requests(since) {
			if sc.verb.mayStill(r) || !led.IsZero() && r.began.After(led) {
				continue
			}
			errs = append(errs, fmt.Errorf("the resumed %q sent %s %s", sc.verb, r.method, r.path))
		}
	}
	after, err := sc.revisions(ctx)
	if err != nil {
		return err
	}
	// A write that was on its way goes through as long as nobody has raised the epoch.
	written := sc.point == pointEncrypted && end.Code == exitDone
	if after != before && led.IsZero() && !written {
		errs = append(errs, fmt.Errorf("the resumed %q wrote: the records were at %s, and are at %s", sc.verb, before, after))
	}
	if len(errs) > 0 {
		errs = append(errs, errors.New(end.Stderr))
	}
	return errors.Join(errs...)
}

// leadTaken returns when a watch has first taken the lead after a moment, by its log; zero if
// it has not.
func leadTaken(stderr string, after time.Time) time.Time {
	for _, entry := range driver.Entries(stderr) {
		if entry.Msg == "leading" && entry.Time.After(after) {
			return entry.Time
		}
	}
	return time.Time{}
}

// mayStill reports whether a process that has lost its Lease may send a request: anyone ends
// its own token, a watch looks on, with a login of its own, and 'post-start' and 'keys
// retire' look without a Lease or before they have it.
func (v *verb) mayStill(r request) bool {
	if r.path == "/v1/auth/token/revoke-self" || v == verbRetire && r.method == http.MethodGet {
		return true
	}
	login := strings.HasPrefix(r.path, "/v1/auth/") || strings.HasPrefix(r.path, "/v1/sys/capabilities")
	return v.endless && (r.method == http.MethodGet || login) || v == verbPostStart && !r.isInit()
}

// stoppedElsewhere stops a holder that has Vault's answer in a spool that others do not see,
// as in another pod. Who takes over waits for it; when the holder goes on, its keys arrive.
func stoppedElsewhere(ctx context.Context, sc *scene) error {
	late, err := sc.suspended(ctx, pointSpooled)
	if err != nil {
		return err
	}
	return sc.cameBack(ctx, late, func() error { return late.Resume(ctx, pointSpooled) }, sc.elsewhere())
}

// frozenInInit stops a holder while Vault's answer is on its way, for longer than its Lease.
func frozenInInit(ctx context.Context, sc *scene) error {
	late, err := sc.waiting(ctx)
	if err != nil {
		return err
	}
	if err := late.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return sc.cameBack(ctx, late, func() error { return late.Signal(syscall.SIGCONT) }, sc.elsewhere())
}

// mayStillStore is what a run says that waits for the keys of another.
const mayStillStore = "may still store the keys"

// elsewhere is a flag for a spool that only one process sees.
func (sc *scene) elsewhere() string { return "--spool-dir=" + filepath.Join(sc.dir, "elsewhere") }

// cameBack starts another run with these flags, and lets a holder go on whose keys that one
// waits for.
func (sc *scene) cameBack(ctx context.Context, late *driver.Process, resume func() error, flags ...string) error {
	other, err := sc.start(ctx, sc.options(flags...))
	if err != nil {
		return err
	}
	if err := other.Until(ctx, mayStillStore, 1); err != nil {
		return err
	}
	resumed := time.Now()
	if err := resume(); err != nil {
		return err
	}
	if end := late.Wait(); end.Code != exitDone && end.Code != exitBusy {
		return fmt.Errorf("the resumed run exited with %d\n%s", end.Code, end.Stderr)
	}
	if end := other.Wait(); end.Code != exitDone {
		return fmt.Errorf("the run that waited for the keys exited with %d\n%s", end.Code, end.Stderr)
	}
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	if keys.Set == nil {
		return fmt.Errorf("the keys of the resumed run never arrived (exit %d)\n%s", late.Wait().Code, late.Wait().Stderr)
	}
	for _, t := range sc.fronts {
		for _, r := range t.requests(resumed) {
			return fmt.Errorf("the resumed run sent %s %s", r.method, r.path)
		}
	}
	return nil
}
