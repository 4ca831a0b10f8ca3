package store

import "time"

// wireCheckpoint is Checkpoint as it is stored.
type wireCheckpoint struct {
	Version    int                          `json:"version"`
	Epoch      int64                        `json:"epoch"`
	State      string                       `json:"state"`
	Since      time.Time                    `json:"since"`
	ClusterID  string                       `json:"cluster_id"`
	SeedDigest string                       `json:"seed_digest"`
	Ledger     map[string]Ownership         `json:"ledger,omitempty"`
	Hashes     map[string]map[string]string `json:"hashes,omitempty"`
	// Packed is the ledger and the hashes in the place of the two, compressed, and
	// Pieces says where that is if it does not fit here.
	Packed    []byte            `json:"packed,omitempty"`
	Pieces    *wirePieces       `json:"pieces,omitempty"`
	Open      map[string]string `json:"open,omitempty"`
	LastError *wireFailure      `json:"last_error,omitempty"`
	History   []wireTransition  `json:"history,omitempty"`
}

type wireFailure struct {
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	Message string    `json:"message"`
	Remedy  string    `json:"remedy"`
	At      time.Time `json:"at"`
}

type wireTransition struct {
	At     time.Time `json:"at"`
	From   string    `json:"from"`
	Event  string    `json:"event"`
	To     string    `json:"to"`
	TookNS int64     `json:"took_ns"`
	Holder string    `json:"holder"`
}

// encodeCheckpoint returns the stored form of c, with the latest HistoryLimit
// transitions.
func encodeCheckpoint(c Checkpoint) ([]byte, error) {
	wire, err := wireOf(c)
	if err != nil {
		return nil, err
	}
	return encode(wire)
}

// plainCheckpoint returns all of c as text, to compare it with another.
func plainCheckpoint(c Checkpoint) ([]byte, error) { return encode(plain(c)) }

// wireOf returns c as it is stored.
func wireOf(c Checkpoint) (wireCheckpoint, error) {
	wire := plain(c)
	packed, err := wireLedger{c.Ledger, c.Hashes}.pack()
	if packed != nil {
		wire.Packed, wire.Ledger, wire.Hashes = packed, nil, nil
	}
	return wire, err
}

// plain returns c as it is stored while it is small.
func plain(c Checkpoint) wireCheckpoint {
	history := c.History[max(0, len(c.History)-HistoryLimit):]
	return wireCheckpoint{
		Version:    RecordVersion,
		Epoch:      c.Epoch,
		State:      c.State,
		Since:      utc(c.Since),
		ClusterID:  c.ClusterID,
		SeedDigest: c.SeedDigest,
		Ledger:     c.Ledger,
		Hashes:     c.Hashes,
		Open:       c.Open,
		LastError: maybe(c.LastError, func(f Failure) wireFailure {
			return wireFailure{Kind: f.Kind, Name: f.Name, Message: f.Message, Remedy: f.Remedy, At: utc(f.At)}
		}),
		History: each(history, func(t Transition) wireTransition {
			return wireTransition{
				At: utc(t.At), From: t.From, Event: t.Event, To: t.To, TookNS: t.Took.Nanoseconds(), Holder: t.Holder,
			}
		}),
	}
}

// decodeCheckpoint is the inverse of encodeCheckpoint. o names the record in errors.
func decodeCheckpoint(data []byte, o object) (Checkpoint, error) {
	var wire wireCheckpoint
	if err := decode(data, &wire, o); err != nil {
		return Checkpoint{}, err
	}
	return wire.checkpoint(o)
}

// checkpoint returns what is stored.
func (wire wireCheckpoint) checkpoint(o object) (Checkpoint, error) {
	if wire.Packed != nil {
		ledger, err := unpack(wire.Packed, o)
		if err != nil {
			return Checkpoint{}, err
		}
		wire.Ledger, wire.Hashes = ledger.Ledger, ledger.Hashes
	}
	c := Checkpoint{
		Epoch:      wire.Epoch,
		State:      wire.State,
		Since:      utc(wire.Since),
		ClusterID:  wire.ClusterID,
		SeedDigest: wire.SeedDigest,
		Ledger:     wire.Ledger,
		Hashes:     wire.Hashes,
		Open:       wire.Open,
		LastError: maybe(wire.LastError, func(f wireFailure) Failure {
			return Failure{Kind: f.Kind, Name: f.Name, Message: f.Message, Remedy: f.Remedy, At: utc(f.At)}
		}),
		History: each(wire.History, func(t wireTransition) Transition {
			return Transition{
				At: utc(t.At), From: t.From, Event: t.Event, To: t.To, Took: time.Duration(t.TookNS), Holder: t.Holder,
			}
		}),
	}
	if len(c.Ledger) == 0 {
		c.Ledger = nil
	}
	if len(c.Hashes) == 0 {
		c.Hashes = nil
	}
	return c, nil
}
