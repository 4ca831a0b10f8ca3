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

// waiter waits for a state. It sends as few requests as it can: many others may wait for the same
// Vault.
type waiter struct {
	goal     fsm.State
	interval time.Duration
	log      *slog.Logger
	// lease and health are nil if they are not read.
	lease  *leaseFeed
	health func(ctx context.Context) fsm.State

	seen   snapshot
	logged *snapshot // what was logged last
}

// snapshot is what a waiter knows.
type snapshot struct {
	// lease is what the Lease shows. It was recorded right after a look; fresh is whether that was
	// while we were waiting.
	lease fsm.State
	fresh bool
	// denied is why the Lease cannot be read.
	denied error
	// health is what Vault reports now.
	health fsm.State
}

// reached reports whether the goal is reached by what is known. If Vault itself is asked, its
// answer decides whether it is open: the Lease shows what was recorded last, and Vault may have
// been sealed since.
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

// openGoal is the part of the goal that Vault itself can show.
func (w *waiter) openGoal() fsm.State {
	if fsm.Unsealed.Before(w.goal) {
		return fsm.Unsealed
	}
	return w.goal
}

// needsHealth reports whether Vault's health matters now: for a goal that only the Lease shows, not
// before it does.
func (w *waiter) needsHealth() bool {
	if w.health == nil {
		return false
	}
	return !fsm.Unsealed.Before(w.goal) || !w.seen.lease.Before(w.goal)
}

// promptsHealth reports whether what the Lease shows now is worth asking Vault at once. If it shows
// less than the goal it is not: all waiters have seen it, and would ask together.
func (w *waiter) promptsHealth() bool { return !w.seen.lease.Before(w.openGoal()) }

// logEvery is how often a wait logs that it continues.
const logEvery = 30 * time.Second

func (w *waiter) wait(ctx context.Context) error {
	following, stop := context.WithCancel(ctx)
	defer stop()
	var shown <-chan snapshot
	if w.lease != nil {
		shown = w.lease.follow(following)
	}
	ticker := time.NewTicker(logEvery)
	defer ticker.Stop()
	waits := pace.Crowd{Longest: w.interval}
	next := time.NewTimer(0)
	defer next.Stop()
	for !w.reached() {
		select {
		case <-ctx.Done():
			return w.timedOut(ctx)
		case now := <-shown:
			w.seen.lease, w.seen.fresh, w.seen.denied = now.lease, now.fresh, now.denied
			if now.denied != nil && (w.health == nil || fsm.Unsealed.Before(w.goal)) {
				return w.leaseDenied()
			}
			if w.promptsHealth() {
				next.Reset(0)
			}
		case <-next.C:
			if !w.needsHealth() {
				continue
			}
			w.seen.health = w.health(ctx)
			next.Reset(waits.Next())
		case <-ticker.C:
			w.logged = nil
		}
		w.logProgress()
	}
	return nil
}

// logProgress logs what is known when it has changed.
func (w *waiter) logProgress() {
	if w.logged != nil && *w.logged == w.seen || w.reached() {
		return
	}
	logged := w.seen
	w.logged = &logged
	var attrs []any
	if w.lease != nil {
		attrs = append(attrs, "lease", shownState(w.seen.lease))
	}
	if w.needsHealth() {
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

func (w *waiter) leaseDenied() error {
	if !kubestore.Denied(w.seen.denied) {
		return w.seen.denied
	}
	return fault.Misuse(fmt.Errorf("only the Lease shows whether Vault is %s: %w", w.goal, w.seen.denied),
		"Grant get and watch on this one Lease; it holds no secret. Without any privileges in Kubernetes, use --for=unsealed --via=health.\n"+
			fault.RemedyOf(w.seen.denied))
}

func (w *waiter) timedOut(ctx context.Context) error {
	cause := context.Cause(ctx)
	text := fmt.Sprintf("Vault is not known to be %s", w.goal)
	if w.lease != nil {
		text += fmt.Sprintf("; the Lease shows: %s", shownState(w.seen.lease))
	}
	if w.needsHealth() {
		text += fmt.Sprintf("; Vault's health shows: %s", shownState(w.seen.health))
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		cause = errors.New("time is up")
	}
	return fault.Wait(fmt.Errorf("%w: %s", cause, text), "Check the bootstrap: vault-bootstrap status, and the log of its Job or its watch.")
}
