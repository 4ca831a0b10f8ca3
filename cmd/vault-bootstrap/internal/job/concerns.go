package job

import (
	"context"
	"log/slog"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// WarnOfConcerns warns of what endangers the records although they can be read. That it
// could not be found out is a warning, too: whoever only looks is not to fail by it.
func WarnOfConcerns(ctx context.Context, log *slog.Logger, records store.Store) {
	concerns, err := records.Concerns(ctx)
	if err != nil {
		log.Warn("what endangers the records is not known", "error", err.Error())
	}
	for _, concern := range concerns {
		log.Warn(concern.Name+": "+concern.Message, "remedy", concern.Remedy)
	}
}

// RefuseInDanger is for what would put new keys where they may be deleted.
func RefuseInDanger(ctx context.Context, records store.Store) error {
	concerns, err := records.Concerns(ctx)
	if err != nil {
		return err
	}
	return store.Refusal(concerns)
}

// dangers are the same as a fact. Owners of the keys have a control of their own.
func dangers(ctx context.Context, records store.Store) harden.Fact[[]string] {
	concerns, err := records.Concerns(ctx)
	if err != nil {
		return harden.NotKnown[[]string](err.Error())
	}
	found := []string{}
	for _, concern := range concerns {
		if concern.Name == store.RecordOwned && concern.Record == records.Location().Keys {
			continue
		}
		found = append(found, concern.Message)
	}
	return harden.Known(found)
}
