package states

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/process"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
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
		if keysMissing(keys, look.Checkpoint) {
			look.Observation.Keys, look.Observation.ClusterID = fsm.MissingKeys, look.Checkpoint.ClusterID
			look.Observation.Trouble = fsm.KeysMissing(keysRecord(a.setting.Name), look.Checkpoint.ClusterID)
		}
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

// keysMissing reports whether the keys record holds nothing at all, although the checkpoint knows a
// Vault whose keys were stored. With --keys=none the record holds a key for hashes from the first
// seed on, and keys that were put away stay in it: neither is missing. Of a record that cannot be
// opened nobody knows.
func keysMissing(keys store.Keys, checkpoint store.Checkpoint) bool {
	known := checkpoint.ClusterID != "" || fsm.Uninitialized.Before(fsm.State(checkpoint.State))
	return known && !keys.Locked() && len(keys.Opens()) == 0 && keys.HashKey.Empty()
}

// RefuseMissing returns the error of a run whose keys record is gone while the checkpoint beside it
// knows this Vault; nil if there is none. name is that of the records. Without replicas, which were
// not asked then, the records decide. A record that could not be read looks like one that is gone,
// and must not be given.
func RefuseMissing(name string, replicas fsm.Replicas, keys store.Keys, checkpoint store.Checkpoint) error {
	missing := fsm.KeysMissing(keysRecord(name), checkpoint.ClusterID)
	switch {
	case !keysMissing(keys, checkpoint):
		return nil
	case len(replicas) == 0:
		return missing
	}
	_, err := fsm.Locate(fsm.Observation{Replicas: replicas, Keys: fsm.MissingKeys, ClusterID: checkpoint.ClusterID, Trouble: missing})
	if fault.NameOf(err) != fsm.NameKeysMissing {
		return nil
	}
	return err
}

// keysRecord is the name of the keys record of an installation, without where it is kept.
func keysRecord(name string) string { return name + "-keys" }

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

// findAnswers searches every spool for the answers of all attempts that have none on record and
// whose key is still there. Attempts whose storage was emptied are skipped.
func (a *attempts) findAnswers(ctx context.Context, look *Look) error {
	a.nameStrays(look.StoredKeys)
	var problems []error
	for _, attempt := range look.StoredKeys.Attempts() {
		if attempt.Answer != nil || attempt.PrivateKey.Empty() || attempt.Emptied != nil {
			continue
		}
		entry, found, err := a.unspooled(ctx, *attempt, look.StoredKeys.Set == nil)
		if err != nil {
			problems = append(problems, err)
		}
		if found {
			look.Unsettled.Answers = append(look.Unsettled.Answers, entry)
		}
	}
	return errors.Join(problems...)
}

// lister is a spool location that knows which attempts it holds answers of.
type lister interface {
	Attempts() ([]string, error)
}

// nameStrays reports, once each, the spooled answers that belong to an attempt which is not
// on record: they may be the only copy of the keys of another Vault, and are left alone.
func (a *attempts) nameStrays(keys store.Keys) {
	for _, location := range a.spools {
		holder, ok := location.(lister)
		if !ok {
			continue
		}
		attempts, err := holder.Attempts()
		if err != nil {
			continue // reading an answer fails as well, and is reported
		}
		for _, id := range attempts {
			if keys.AttemptOf(id) != nil || a.strays[id] {
				continue
			}
			if a.strays == nil {
				a.strays = map[string]bool{}
			}
			a.strays[id] = true
			a.setting.Log.Warn("a spooled init response belongs to an attempt that is not on record: it is left alone", "attempt_id", id, "place", location.Name(),
				"remedy", "It may hold the only copy of the keys of another Vault. Give each installation its own --spool-dir, and run the one that the response belongs to.")
		}
	}
}

// unspooled searches every spool location for an attempt's answer. A pod that has ended and left
// nothing is not asked again, unless again is set.
func (a *attempts) unspooled(ctx context.Context, attempt store.Attempt, again bool) (spool.Entry, bool, error) {
	origin := spool.Origin{Attempt: attempt.ID, Pod: attempt.Pod}
	if a.searched[attempt.ID] && !again {
		origin.Pod = ""
	}
	var problems []error
	for _, location := range a.spools {
		texts, err := location.Read(ctx, origin)
		if err != nil {
			problems = append(problems, err)
		}
		for _, text := range texts {
			entry, err := spool.Find(text)
			switch {
			case errors.Is(err, spool.ErrNone):
			case err != nil:
				problems = append(problems, fmt.Errorf("%s: %w", location.Name(), err))
			case entry.Attempt == attempt.ID:
				return entry, true, nil
			}
		}
	}
	if gone, err := a.isGone(ctx, attempt); err == nil && gone && len(problems) == 0 {
		if a.searched == nil {
			a.searched = map[string]bool{}
		}
		a.searched[attempt.ID] = true
	}
	return spool.Entry{}, false, errors.Join(problems...)
}
