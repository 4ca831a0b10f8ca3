package states

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/process"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// lookAtAttempts looks for what has become of the attempts to initialize: answers that are
// spooled and not on record, and whether somebody may still bring one.
func (o *Observer) lookAtAttempts(ctx context.Context, look *Look) error {
	keys := look.StoredKeys
	o.firstSeen(keys)
	o.countEmpty(look)
	err := o.lookForAnswers(ctx, look)
	switch {
	case keys.Set != nil:
		// Keys are there: an answer that cannot be read just now is looked for again.
		if err != nil && ctx.Err() == nil {
			o.Log.Warn("looking for a spooled init response", "error", err.Error())
		}
		look.Observation.Keys = fsm.StoredKeys
		return nil
	case err != nil:
		// What could not be read may hold the answer: calling the keys lost would be rash.
		return fmt.Errorf("looking for a spooled init response: %w", err)
	case len(look.Unsettled.Answers) > 0:
		look.Observation.Keys = fsm.SpooledAnswer
		return nil
	case keys.Attempt == nil:
		look.Observation.Keys = fsm.NoKeys
		return nil
	}
	look.Observation.Keys, look.Observation.Maker.Name = fsm.OpenIntent, maker(*keys.Attempt)
	if keys.Attempt.ID == o.refusedAttempt && keys.Attempt.Status == store.AttemptOpen && look.Observation.UninitializedFor > 0 {
		look.Unsettled.Refused = keys.Attempt.ID
	}
	look.Observation.Maker.Grace, err = o.graceOf(ctx, *keys.Attempt)
	return err
}

// maker names the process that made an attempt, for people.
func maker(attempt store.Attempt) string {
	if attempt.Pod != "" {
		return fmt.Sprintf("pod %q, %s", attempt.Pod, attempt.Holder)
	}
	return attempt.Holder
}

// lookForAnswers searches every spool for the answers of all attempts that have none on
// record and whose key is still there. The storage of one that was emptied is gone.
func (o *Observer) lookForAnswers(ctx context.Context, look *Look) error {
	o.nameStrays(look.StoredKeys)
	var problems []error
	for _, attempt := range look.StoredKeys.Attempts() {
		if attempt.Answer != nil || attempt.PrivateKey.Empty() || attempt.Emptied != nil {
			continue
		}
		entry, found, err := o.unspooled(ctx, *attempt, look.StoredKeys.Set == nil)
		if err != nil {
			problems = append(problems, err)
		}
		if found {
			look.Unsettled.Answers = append(look.Unsettled.Answers, entry)
		}
	}
	return errors.Join(problems...)
}

// lister is a place that knows whose answers it holds.
type lister interface {
	Attempts() ([]string, error)
}

// nameStrays reports, once each, the spooled answers that belong to an attempt which is not
// on record: they may be the only copy of the keys of another Vault, and are left alone.
func (o *Observer) nameStrays(keys store.Keys) {
	for _, place := range o.Spools {
		holder, ok := place.(lister)
		if !ok {
			continue
		}
		attempts, err := holder.Attempts()
		if err != nil {
			continue // reading an answer fails as well, and is reported
		}
		for _, id := range attempts {
			if keys.AttemptOf(id) != nil || o.strays[id] {
				continue
			}
			if o.strays == nil {
				o.strays = map[string]bool{}
			}
			o.strays[id] = true
			o.Log.Warn("a spooled init response belongs to an attempt that is not on record: it is left alone", "attempt_id", id, "place", place.Name(),
				"remedy", "It may hold the only copy of the keys of another Vault. Give each installation a --spool-dir of its own, and run the one that it belongs to.")
		}
	}
}

// unspooled looks for an attempt's answer in every place. A pod that is over and has left
// nothing is not asked again, unless again says so.
func (o *Observer) unspooled(ctx context.Context, attempt store.Attempt, again bool) (spool.Entry, bool, error) {
	origin := spool.Origin{Attempt: attempt.ID, Pod: attempt.Pod}
	if o.searched[attempt.ID] && !again {
		origin.Pod = ""
	}
	var problems []error
	for _, place := range o.Spools {
		texts, err := place.Read(ctx, origin)
		if err != nil {
			problems = append(problems, err)
		}
		for _, text := range texts {
			entry, err := spool.Find(text)
			switch {
			case errors.Is(err, spool.ErrNone):
			case err != nil:
				problems = append(problems, fmt.Errorf("%s: %w", place.Name(), err))
			case entry.Attempt == attempt.ID:
				return entry, true, nil
			}
		}
	}
	if gone, err := o.isGone(ctx, attempt); err == nil && gone && len(problems) == 0 {
		if o.searched == nil {
			o.searched = map[string]bool{}
		}
		o.searched[attempt.ID] = true
	}
	return spool.Entry{}, false, errors.Join(problems...)
}

// isGone reports whether the process that made an attempt is known to have ended, or is
// this one, whose request has ended.
func (o *Observer) isGone(ctx context.Context, attempt store.Attempt) (bool, error) {
	switch {
	case attempt.Holder == o.Holder, process.Gone(attempt.Process):
		return true, nil
	case attempt.Pod == "":
		return false, nil
	case attempt.Pod == o.Pod:
		// An earlier life of this very container: the kubelet starts the next one when it
		// has ended.
		return podOf(attempt.Holder) == podOf(o.Holder) && attempt.Process != "" && process.Verb(attempt.Process) == process.Verb(o.Process), nil
	case o.Pods == nil:
		return false, nil
	default:
		return o.Pods.Over(ctx, attempt.Pod)
	}
}

// podOf returns the part of a holder's identity that names its Pod: name and UID.
func podOf(holder string) string {
	parts := strings.SplitN(holder, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// countEmpty measures how long all replicas have answered 'uninitialized' and no attempt
// was begun.
func (o *Observer) countEmpty(look *Look) {
	filled := func(replica fsm.Replica) bool { return replica.Health != fsm.NotInitialized }
	now := o.Now()
	if len(look.Observation.Replicas) == 0 || slices.ContainsFunc(look.Observation.Replicas, filled) {
		o.emptySince = now
		return
	}
	if o.emptySince.IsZero() {
		o.emptySince = now
	}
	since := o.emptySince
	if attempt := look.StoredKeys.Attempt; attempt != nil {
		if attempt.Status == store.AttemptRefused {
			look.Observation.UninitializedFor = fsm.SettleTime // Vault itself has said that nothing came of it
			return
		}
		if seen := o.attempts[attempt.ID]; seen.After(since) {
			since = seen
		}
	}
	look.Observation.UninitializedFor = now.Sub(since)
}

// graceOf returns how long the process that made an attempt may still bring Vault's
// answer, on this process's own clock: the times on record are another machine's.
func (o *Observer) graceOf(ctx context.Context, attempt store.Attempt) (time.Duration, error) {
	gone, err := o.isGone(ctx, attempt)
	if err != nil || gone {
		return 0, err
	}
	grace := attempt.Grace
	if grace == 0 { // a record of an earlier version
		grace = mayDeliverFor
	}
	return max(0, grace-o.Now().Sub(o.attempts[attempt.ID])), nil
}

// mayDeliverFor is how long a process may take from the intent to the stored keys.
const mayDeliverFor = vault.InitTimeout + graceAfterEnd

// firstSeen notes when each attempt was seen first, by this process's clock.
func (o *Observer) firstSeen(keys store.Keys) {
	seen := map[string]time.Time{}
	for _, attempt := range keys.Attempts() {
		at, known := o.attempts[attempt.ID]
		if !known {
			at = o.Now()
		}
		seen[attempt.ID] = at
	}
	o.attempts = seen
}

// begun notes that an attempt has begun, or that its request has ended just now.
func (o *Observer) begun(id string) {
	if o.attempts == nil {
		o.attempts = map[string]time.Time{}
	}
	o.attempts[id] = o.Now()
}
