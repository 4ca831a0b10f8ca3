package states

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

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
