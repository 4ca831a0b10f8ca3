package wire

import (
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// RecordFull is the name of the fault that the keys record has no more room.
const RecordFull = "keys record full"

// keysLimit is the size in bytes up to which the keys record may grow. A Secret takes 1 MiB of data
// (Kubernetes 1.36); the rest is room for what must be written once keys are stored, and for what
// others keep in the same Secret. It is the same for files, so that a record can be moved from one
// to the other.
const keysLimit = 960 << 10

// CheckSize refuses a record that is larger than keysLimit, and says what fills it. It is called
// for rehearsals only: keys that Vault has just returned are written as long as the server accepts
// them.
func CheckSize(keys store.Keys, data []byte, o Object, remedy string) error {
	if len(data) <= keysLimit {
		return nil
	}
	attempts := len(keys.Past)
	if keys.Attempt != nil {
		attempts++
	}
	return fault.Stop(RecordFull, fmt.Errorf("%s would hold %d KiB of at most %d: %d attempts to initialize, %d earlier sets of keys",
		o.Name, (len(data)+1023)>>10, keysLimit>>10, attempts, len(keys.Old)), remedy)
}

// FullRemedy says how to make room, given the commands that copy and remove the record.
func FullRemedy(save, remove string) string {
	return fmt.Sprintf("Nothing was changed. Keep a copy of the record as safe as the keys (%s). "+
		"If no keys in force are in it ('vault-bootstrap keys list'), remove it (%s) and run again; otherwise remove earlier sets and attempts from it by hand.", save, remove)
}

// RehearsalSize is the size in bytes of the record with which a preflight
// rehearses the write of the keys: ten shares encrypted to 4096-bit PGP keys, a
// root token and room to spare.
const RehearsalSize = 16 << 10
