package store

import (
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// HighWater is the latest encryption of the keys record that was opened. The checkpoint keeps it, so
// that a copy of the record from an earlier time is noticed when somebody puts it back.
type HighWater struct {
	// DataKey is the ID of the data key.
	DataKey string
	// Generation is that of the record; it rises with each encryption, across data keys.
	Generation int64
}

// RecordPutBack is the name of the fault that the keys record is an earlier copy of itself.
const RecordPutBack = "record put back"

// HighWater returns which encryption of the record this is; nil for a record in clear, and for one
// that was not opened, whose generation nobody vouches for.
func (k Keys) HighWater() *HighWater {
	if k.Sealing == nil || k.Locked() {
		return nil
	}
	return &HighWater{k.Sealing.DataKey, k.Sealing.Generation}
}

// Above reports whether h comes after mark, or is the same.
func (h *HighWater) Above(mark *HighWater) bool {
	return h != nil && (mark == nil || h.Generation >= mark.Generation)
}

// OlderThan reports whether the record is from before an encryption that was seen. It need not be
// opened for that: a generation that was raised by hand keeps the box from opening. A record that
// holds nothing is missing, and not older.
func (k Keys) OlderThan(mark *HighWater) bool {
	switch {
	case mark == nil:
		return false
	case k.Sealing == nil:
		return k.Secret() || len(k.Opens()) > 0
	case k.Sealing.Generation == mark.Generation:
		return k.Sealing.DataKey != mark.DataKey
	default:
		return k.Sealing.Generation < mark.Generation
	}
}

// RefuseOlder returns the terminal error of a record that is older than what was seen of it; nil if
// it is not. record is its name.
func RefuseOlder(record string, keys Keys, mark *HighWater) error {
	if !keys.OlderThan(mark) {
		return nil
	}
	found := "it is in clear"
	if keys.Sealing != nil {
		found = fmt.Sprintf("it has generation %d of data key %s", keys.Sealing.Generation, short(keys.Sealing.DataKey))
	}
	return fault.Stop(RecordPutBack,
		fmt.Errorf("%s is a copy from an earlier time: %s, and generation %d of data key %s was seen before", record, found, mark.Generation, short(mark.DataKey)),
		"Nothing was changed: put the latest copy back, or restore the checkpoint of the same time with it. If this copy is the one to go on with, encrypt it anew with 'vault-bootstrap keys reseal --accept-older'.")
}

// short returns enough of the ID of a data key to distinguish it from others.
func short(id string) string { return id[:min(8, len(id))] }
