package watch

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/walk"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// turns takes turns until ctx ends.
func (w *Watcher) turns(ctx context.Context) {
	changes := w.follow(ctx)
	w.past.trouble, w.past.failure, w.seen = nil, nil, nil
	w.past.pace.Reset()
	w.past.rest.Over()
	for ctx.Err() == nil {
		pause := w.turn(ctx)
		if w.wait(ctx, pause, changes) { // what failed may succeed now
			w.past.pace.Reset()
			w.past.rest.Over()
		}
	}
}

// purposePause is how long to wait for the next look while a replica counts as sealed on purpose. A
// restart of its server shows only when the kubelet has reported it, which may be after the server
// has answered.
const purposePause = 5 * time.Second

// turn is one look, and one walk to the goal if there is something to do. It returns
// how long to wait for the next one if nothing changes.
func (w *Watcher) turn(ctx context.Context) time.Duration {
	pause := w.takeTurn(ctx)
	if slices.ContainsFunc(w.seen, func(r fsm.Replica) bool { return r.OnPurpose }) {
		return min(pause, purposePause)
	}
	return pause
}

func (w *Watcher) takeTurn(ctx context.Context) time.Duration {
	w.renewal.check()
	seedErr := w.job.Reload(ctx)
	turn := w.attend(ctx)
	if turn.err == nil {
		turn.err = seedErr // the last valid seed was used
	}
	if ctx.Err() != nil {
		return 0
	}
	w.metrics.Round(w.judge(turn.result, turn.err))
	switch {
	case turn.result == acted || turn.rest > 0:
		// After a walk that succeeded, look soon, to see that its result holds; after one that
		// failed, when the next one is due, but no later than usual, to see what has changed
		// inside.
		return min(max(turn.rest, w.options.HealthInterval), pace.Spread(w.options.Interval))
	case turn.err != nil:
		return soon(turn.err, w.past.pace.Next())
	default:
		w.past.pace.Reset()
		return pace.Spread(w.options.Interval)
	}
}

// keysPause is the longest wait while nobody can open the keys record: no change of a replica or of a
// record shows that a KMS is back, and replicas stay sealed until somebody asks it.
const keysPause = 5 * time.Second

// soon returns the wait after a failure, which is to be pause.
func soon(failure error, pause time.Duration) time.Duration {
	if fault.NameOf(failure) == sealed.KeysUnreachable {
		return min(pause, pace.Spread(keysPause))
	}
	return pause
}

// The results of a turn.
const (
	idle    = "idle"
	acted   = "acted"
	waiting = "waiting"
)

// turn is the result of a turn.
type turn struct {
	result string
	err    error
	// rest is how long to wait until the next walk; 0 if none is due.
	rest time.Duration
}

// attend looks, and walks if there is something to do.
func (w *Watcher) attend(ctx context.Context) turn {
	look, verdict, settled, err := w.look(ctx)
	if look != nil {
		w.seen = look.Observation.Replicas
	}
	switch {
	case err == nil && verdict.Idle && settled:
		w.past.rest.Over()
		w.past.failure = nil
		w.metrics.Succeeded(time.Now())
		return turn{result: idle}
	case err != nil && (!verdict.Ready || w.known(err)):
		return turn{result: waiting, err: err}
	}
	// Spooled keys that one walk could not store are tried again as often.
	urgent := verdict.Urgent && (fault.KindOf(w.past.failure) == fault.Transient || look.Observation.Keys == fsm.SpooledAnswer)
	if left := w.past.rest.Left(time.Now(), urgent); left > 0 {
		if err == nil {
			err = w.past.failure
		}
		return turn{waiting, err, left}
	}
	w.past.failure = w.act(ctx)
	if seen := w.walk.Seen; seen != nil { // a replica that is sealed again was restarted meanwhile
		w.seen = seen.Observation.Replicas
	}
	if fault.KindOf(w.past.failure) == fault.Busy {
		return turn{result: waiting, err: w.past.failure} // somebody else is at work
	}
	w.past.rest.Walk(time.Now(), w.past.failure != nil)
	return turn{acted, w.past.failure, w.past.rest.Left(time.Now(), urgent)}
}

// known reports whether err is the same terminal failure as in the previous turn: it is recorded,
// and nothing has changed about it.
func (w *Watcher) known(err error) bool {
	return w.past.trouble != nil && fault.KindOf(err) == fault.Terminal && sameFailure(w.past.trouble, err)
}

// look looks without the Lease. settled is whether no failure is on record.
func (w *Watcher) look(ctx context.Context) (look *states.Look, verdict fsm.Verdict, settled bool, err error) {
	w.job.Guard(walk.Always)
	look, verdict, err = w.walk.Driver(w.report).Judge(ctx)
	err = w.past.denial.Judge(err, time.Now())
	if verdict.State == "" && ctx.Err() == nil {
		w.metrics.State("") // what was seen before is not known to be so still
	}
	if look == nil {
		w.metrics.Unplanned()
		w.metrics.RootUnknown()
		return nil, verdict, false, err
	}
	w.count(look.Observation.Replicas)
	w.metrics.Recipients(look.StoredKeys.LongestUntried())
	w.metrics.RootStored(look.StoredKeys.Root != nil)
	if look.Plan == nil {
		w.metrics.Unplanned()
	} else {
		w.metrics.Plan(look.Planned())
	}
	return look, verdict, look.Checkpoint.LastError == nil, err
}

// judge reports the result of a turn, each failure once, and returns its name for the metrics.
func (w *Watcher) judge(result string, err error) string {
	before := w.past.trouble
	w.past.trouble = err
	if err == nil {
		w.metrics.Recovered()
		if before != nil {
			w.report.Log().Info("recovered", "from", before.Error(), "failed_looks", w.past.repeats+1)
		}
		w.past.repeats = 0
		return result
	}
	if name := report.FailureName(err); name != "" {
		w.metrics.Terminal(name)
	}
	if kind := fault.KindOf(err); kind == fault.Transient || kind == fault.Partial {
		result = waiting
	} else {
		result = kind.String()
	}
	if sameFailure(before, err) {
		w.past.repeats++
		return result
	}
	w.past.repeats = 0
	if result == waiting {
		w.report.Waiting(err, 1)
		return result
	}
	report.LogFailure(w.lines, err)
	report.SendFailure(w.report, err)
	return result
}

// sameFailure reports whether two failures are the same to a reader: numbers in them, such as
// times, attempts and ports, may differ.
func sameFailure(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return fault.KindOf(a) == fault.KindOf(b) && fault.NameOf(a) == fault.NameOf(b) && withoutNumbers(a.Error()) == withoutNumbers(b.Error())
}

func withoutNumbers(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
}
