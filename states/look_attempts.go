package states

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/process"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// attempts is what is known about the attempts to initialize, by this process's own clock.
type attempts struct {
	setting *Setting
	pods    PodReader      // nil outside Kubernetes
	spools  []AnswerSource // where Vault's answer may be kept until it is stored

	emptySince time.Time            // since when all replicas have answered 'uninitialized'
	seen       map[string]time.Time // when each attempt on record was first seen
	searched   map[string]bool      // attempts whose pods hold no answer
	strays     map[string]bool      // attempts not on record whose answers are in a spool
	// refused is the ID of this process's attempt that Vault refused most recently.
	refused string
}

// look finds out what has become of the attempts to initialize: answers that are spooled and not on
// record, and whether somebody may still bring one.
func (a *attempts) look(ctx context.Context, look *Look) error {
	keys := look.StoredKeys
	a.firstSeen(keys)
	a.countEmpty(look)
	err := a.findAnswers(ctx, look)
	switch {
	case keys.Set != nil:
		// There are keys: an answer that cannot be read now is searched for again later.
		if err != nil && ctx.Err() == nil {
			a.setting.Log.Warn("looking for a spooled init response", "error", err.Error())
		}
		look.Observation.Keys = fsm.StoredKeys
		return nil
	case err != nil:
		// What could not be read may hold the answer: calling the keys lost would be rash.
		return fmt.Errorf("looking for a spooled init response: %w", err)
	case len(look.Unsettled.Answers) > 0:
		look.Observation.Keys = fsm.SpooledAnswer
		return nil
	case unopened(keys) != nil:
		look.Observation.Keys, look.Unsettled.Unopened = fsm.SpooledAnswer, unopened(keys).ID
		return nil
	case keys.Attempt == nil:
		look.Observation.Keys = fsm.NoKeys
		return nil
	}
	look.Observation.Keys, look.Observation.Maker.Name = fsm.OpenIntent, maker(*keys.Attempt)
	if keys.Attempt.ID == a.refused && keys.Attempt.Status == store.AttemptOpen && look.Observation.UninitializedFor > 0 {
		look.Unsettled.Refused = keys.Attempt.ID
	}
	look.Observation.Maker.Grace, err = a.graceOf(ctx, *keys.Attempt)
	return err
}

// unopened returns the latest attempt whose answer is stored as it came; nil if there is none.
func unopened(keys store.Keys) *store.Attempt {
	for _, attempt := range slices.Backward(keys.Attempts()) {
		if attempt.Status == store.AttemptUnopened && attempt.Answer != nil {
			return attempt
		}
	}
	return nil
}

// maker names the process that made an attempt, for messages.
func maker(attempt store.Attempt) string {
	if attempt.Pod != "" {
		return fmt.Sprintf("pod %q, %s", attempt.Pod, attempt.Holder)
	}
	return attempt.Holder
}

// isGone reports whether the process that made an attempt is known to have ended, or is
// this one, whose request has ended.
func (a *attempts) isGone(ctx context.Context, attempt store.Attempt) (bool, error) {
	switch {
	case attempt.Holder == a.setting.Holder, process.Gone(attempt.Process):
		return true, nil
	case attempt.Pod == "":
		return false, nil
	case attempt.Pod == a.setting.Pod:
		// An earlier life of this very container: the kubelet starts the next one only when it has
		// ended.
		return podOf(attempt.Holder) == podOf(a.setting.Holder) && attempt.Process != "" && process.Verb(attempt.Process) == process.Verb(a.setting.Process), nil
	case a.pods == nil:
		return false, nil
	default:
		return a.pods.Ended(ctx, attempt.Pod)
	}
}

// podOf returns the part of a holder's identity that names its Pod: name and UID.
func podOf(holder string) string {
	parts := strings.SplitN(holder, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// countEmpty measures how long all replicas have answered 'uninitialized' and no attempt
// was begun.
func (a *attempts) countEmpty(look *Look) {
	filled := func(replica fsm.Replica) bool { return replica.Health != fsm.NotInitialized }
	now := a.setting.Now()
	if len(look.Observation.Replicas) == 0 || slices.ContainsFunc(look.Observation.Replicas, filled) {
		a.emptySince = now
		return
	}
	if a.emptySince.IsZero() {
		a.emptySince = now
	}
	since := a.emptySince
	if attempt := look.StoredKeys.Attempt; attempt != nil {
		if attempt.Status == store.AttemptRefused {
			look.Observation.UninitializedFor = fsm.SettleTime // Vault itself has said that nothing was initialized
			return
		}
		if seen := a.seen[attempt.ID]; seen.After(since) {
			since = seen
		}
	}
	look.Observation.UninitializedFor = now.Sub(since)
}

// graceOf returns how long the process that made an attempt may still bring Vault's answer, by this
// process's own clock: the times on record are another machine's.
func (a *attempts) graceOf(ctx context.Context, attempt store.Attempt) (time.Duration, error) {
	gone, err := a.isGone(ctx, attempt)
	if err != nil || gone {
		return 0, err
	}
	grace := attempt.Grace
	if grace == 0 { // a record of an earlier version
		grace = mayDeliverFor
	}
	return max(0, grace-a.setting.Now().Sub(a.seen[attempt.ID])), nil
}

// mayDeliverFor is how long a process may take from the intent to the stored keys.
const mayDeliverFor = vault.InitTimeout + graceAfterEnd

// firstSeen notes when each attempt was first seen, by this process's clock.
func (a *attempts) firstSeen(keys store.Keys) {
	seen := map[string]time.Time{}
	for _, attempt := range keys.Attempts() {
		at, known := a.seen[attempt.ID]
		if !known {
			at = a.setting.Now()
		}
		seen[attempt.ID] = at
	}
	a.seen = seen
}

// begun notes that an attempt has begun, or that its request has ended just now.
func (a *attempts) begun(id string) {
	if a.seen == nil {
		a.seen = map[string]time.Time{}
	}
	a.seen[id] = a.setting.Now()
}
