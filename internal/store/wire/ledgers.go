package wire

import (
	"bytes"
	"maps"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Ledgers writes and reads checkpoints, and remembers the ledger that it packed or unpacked last:
// a run reads and writes the checkpoint some ten times, and changes its ledger twice. The zero
// value is ready to use, also by several goroutines.
type Ledgers struct {
	mu     sync.Mutex
	packed []byte
	ledger wireLedger
}

// maxRemembered is up to how many objects a ledger is remembered: beyond that, memory counts.
const maxRemembered = 20_000

// pack returns a ledger compressed, nil if it is small.
func (l *Ledgers) pack(ledger wireLedger) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.packed != nil && ledger.equal(l.ledger) {
		return l.packed, nil
	}
	packed, err := ledger.pack()
	if err == nil && packed != nil {
		l.remember(packed, ledger)
	}
	return packed, err
}

// unpack is the inverse of pack. o names the record in errors.
func (l *Ledgers) unpack(packed []byte, o Object) (wireLedger, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.packed != nil && bytes.Equal(packed, l.packed) {
		return l.ledger.clone(), nil
	}
	ledger, err := unpack(packed, o)
	if err == nil {
		l.remember(packed, ledger)
	}
	return ledger, err
}

func (l *Ledgers) remember(packed []byte, ledger wireLedger) {
	l.packed, l.ledger = nil, wireLedger{}
	if len(ledger.Ledger)+len(ledger.Hashes) <= maxRemembered {
		l.packed, l.ledger = bytes.Clone(packed), ledger.clone()
	}
}

func (l wireLedger) clone() wireLedger {
	copied := store.Checkpoint{Ledger: l.Ledger, Hashes: l.Hashes}.Clone()
	return wireLedger{copied.Ledger, copied.Hashes}
}

func (l wireLedger) equal(other wireLedger) bool {
	return maps.Equal(l.Ledger, other.Ledger) && maps.EqualFunc(l.Hashes, other.Hashes, maps.Equal[map[string]string])
}
