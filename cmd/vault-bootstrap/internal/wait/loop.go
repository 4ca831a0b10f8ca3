package wait

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/pace"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
)

// waiter waits for a state. It asks as little as it can: many of its kind may wait
// for the same Vault.
type waiter struct {
	goal     fsm.State
	interval time.Duration
	log      *slog.Logger
	// lease and health are nil where they are not looked at.
	lease  *leaseFeed
	health func(ctx context.Context) fsm.State

	seen sight
	told *sight // what was said last
}

// sight is what a waiter knows.
type sight struct {
	// lease is what the Lease shows. It was recorded by somebody who had just looked;
	// fresh says that this happened while we were waiting.
	lease fsm.State
	fresh bool
	// denied is why the Lease cannot be read.
	denied error
	// health is what Vault says now.
	health fsm.State
}

// reached reports whether the goal is reached by what is known. Vault itself counts
// for whether it is open, if it is asked: the Lease shows what was recorded last, and
// Vault may have been sealed since.
func (w *waiter) reached() bool {
	open := !w.seen.health.Before(w.openGoal())
	switch {
	case w.lease == nil:
		return open
	case w.health == nil:
		return !w.seen.lease.Before(w.goal)
	case !fsm.Unsealed.Before(w.goal):
		return open
	default:
		return !w.seen.lease.Before(w.goal) && (w.seen.fresh || open)
	}
}

// openGoal is the part of the goal that Vault itself can tell.
func (w *waiter) openGoal() fsm.State {
	if fsm.Unsealed.Before(w.goal) {
		return fsm.Unsealed
	}
	return w.goal
}

// asks reports whether Vault's health matters now: where only the Lease can tell, not
// before it does.
func (w *waiter) asks() bool {
	if w.health == nil {
		return false
	}
	return !fsm.Unsealed.Before(w.goal) || !w.seen.lease.Before(w.goal)
}

// calls reports whether what the Lease shows now is worth a look at Vault at once. That
// it shows less is not: all who wait have heard it, and would look together.
func (w *waiter) calls() bool { return !w.seen.lease.Before(w.openGoal()) }

// sayEvery is how often a wait says that it goes on.
const sayEvery = 30 * time.Second

func (w *waiter) wait(ctx context.Context) error {
	following, stop := context.WithCancel(ctx)
	defer stop()
	var shown <-chan sight
	if w.lease != nil {
		shown = w.lease.follow(following)
	}
	say := time.NewTicker(sayEvery)
	defer say.Stop()
	waits := pace.Crowd{Longest: w.interval}
	next := time.NewTimer(0)
	defer next.Stop()
	for !w.reached() {
		select {
		case <-ctx.Done():
			return w.inVain(ctx)
		case now := <-shown:
			w.seen.lease, w.seen.fresh, w.seen.denied = now.lease, now.fresh, now.denied
			if now.denied != nil && (w.health == nil || fsm.Unsealed.Before(w.goal)) {
				return w.cannotTell()
			}
			if w.calls() {
				next.Reset(0)
			}
		case <-next.C:
			if !w.asks() {
				continue
			}
			w.seen.health = w.health(ctx)
			next.Reset(waits.Next())
		case <-say.C:
			w.told = nil
		}
		w.say()
	}
	return nil
}

// say tells what is waited for when it has changed.
func (w *waiter) say() {
	if w.told != nil && *w.told == w.seen || w.reached() {
		return
	}
	told := w.seen
	w.told = &told
	var attrs []any
	if w.lease != nil {
		attrs = append(attrs, "lease", shownState(w.seen.lease))
	}
	if w.asks() {
		attrs = append(attrs, "health", shownState(w.seen.health))
	}
	w.log.Info("waiting for "+string(w.goal), attrs...)
}

func shownState(state fsm.State) string {
	if state == "" {
		return "unknown"
	}
	return string(state)
}

func (w *waiter) cannotTell() error {
	if !kubestore.Denied(w.seen.denied) {
		return w.seen.denied
	}
	return fault.Misuse(fmt.Errorf("only the Lease tells whether Vault is %s: %w", w.goal, w.seen.denied),
		"Grant get and watch on this one Lease; it holds no secret. Without any rights in Kubernetes --for=unsealed --via=health is what can be known.\n"+
			fault.RemedyOf(w.seen.denied))
}

func (w *waiter) inVain(ctx context.Context) error {
	cause := context.Cause(ctx)
	text := fmt.Sprintf("Vault is not known to be %s", w.goal)
	if w.lease != nil {
		text += fmt.Sprintf("; the Lease says: %s", shownState(w.seen.lease))
	}
	if w.asks() {
		text += fmt.Sprintf("; Vault's health says: %s", shownState(w.seen.health))
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		cause = errors.New("time is up")
	}
	return fault.Wait(fmt.Errorf("%w: %s", cause, text), "Look at the bootstrap: vault-bootstrap status, and the log of its Job or its watch.")
}
