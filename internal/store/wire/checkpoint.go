package wire

import (
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"time"
)

// Checkpoint is store.Checkpoint as it is stored.
type Checkpoint struct {
	Version    int                          `json:"version"`
	Epoch      int64                        `json:"epoch"`
	State      string                       `json:"state"`
	Since      time.Time                    `json:"since"`
	ClusterID  string                       `json:"cluster_id"`
	RootSince  *time.Time                   `json:"root_since,omitempty"`
	SeedDigest string                       `json:"seed_digest"`
	Namespace  string                       `json:"namespace,omitempty"`
	Ledger     map[string]store.Ownership   `json:"ledger,omitempty"`
	Hashes     map[string]map[string]string `json:"hashes,omitempty"`
	// Packed is the compressed ledger and hashes, instead of the two, and Pieces says where that is
	// if it does not fit here.
	Packed    []byte            `json:"packed,omitempty"`
	Pieces    *Pieces           `json:"pieces,omitempty"`
	Open      map[string]string `json:"open,omitempty"`
	HighWater *wireHighWater    `json:"keys_high_water,omitempty"`
	LastError *wireFailure      `json:"last_error,omitempty"`
	History   []wireTransition  `json:"history,omitempty"`
}

type wireHighWater struct {
	DataKey    string `json:"data_key"`
	Generation int64  `json:"generation"`
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

// EncodeCheckpoint returns the stored form of c, with the latest HistoryLimit
// transitions.
func (l *Ledgers) EncodeCheckpoint(c store.Checkpoint) ([]byte, error) {
	wire, err := l.NewCheckpoint(c)
	if err != nil {
		return nil, err
	}
	return Encode(wire)
}

// NewCheckpoint returns c as it is stored.
func (l *Ledgers) NewCheckpoint(c store.Checkpoint) (Checkpoint, error) {
	wire := plain(c)
	packed, err := l.pack(wireLedger{c.Ledger, c.Hashes})
	if packed != nil {
		wire.Packed, wire.Ledger, wire.Hashes = packed, nil, nil
	}
	return wire, err
}

// plain returns c uncompressed.
func plain(c store.Checkpoint) Checkpoint {
	history := c.History[max(0, len(c.History)-store.HistoryLimit):]
	var root *time.Time // left out otherwise: earlier versions do not know it
	if !c.RootSince.IsZero() {
		since := UTC(c.RootSince)
		root = &since
	}
	return Checkpoint{
		RootSince:  root,
		Version:    Version,
		Epoch:      c.Epoch,
		State:      c.State,
		Since:      UTC(c.Since),
		ClusterID:  c.ClusterID,
		SeedDigest: c.SeedDigest,
		Namespace:  c.Namespace,
		Ledger:     c.Ledger,
		Hashes:     c.Hashes,
		Open:       c.Open,
		HighWater:  maybe(c.HighWater, func(h store.HighWater) wireHighWater { return wireHighWater(h) }),
		LastError: maybe(c.LastError, func(f store.Failure) wireFailure {
			return wireFailure{Kind: f.Kind, Name: f.Name, Message: f.Message, Remedy: f.Remedy, At: UTC(f.At)}
		}),
		History: each(history, func(t store.Transition) wireTransition {
			return wireTransition{
				At: UTC(t.At), From: t.From, Event: t.Event, To: t.To, TookNS: t.Took.Nanoseconds(), Holder: t.Holder,
			}
		}),
	}
}

// DecodeCheckpoint is the inverse of EncodeCheckpoint. o names the record in errors.
func (l *Ledgers) DecodeCheckpoint(data []byte, o Object) (store.Checkpoint, error) {
	var wire Checkpoint
	if err := Decode(data, &wire, o); err != nil {
		return store.Checkpoint{}, err
	}
	return l.Record(wire, o)
}

// Record returns what is stored.
func (l *Ledgers) Record(wire Checkpoint, o Object) (store.Checkpoint, error) {
	if wire.Packed != nil {
		ledger, err := l.unpack(wire.Packed, o)
		if err != nil {
			return store.Checkpoint{}, err
		}
		wire.Ledger, wire.Hashes = ledger.Ledger, ledger.Hashes
	}
	c := store.Checkpoint{
		Epoch:      wire.Epoch,
		State:      wire.State,
		Since:      UTC(wire.Since),
		ClusterID:  wire.ClusterID,
		SeedDigest: wire.SeedDigest,
		Namespace:  wire.Namespace,
		Ledger:     wire.Ledger,
		Hashes:     wire.Hashes,
		Open:       wire.Open,
		HighWater:  maybe(wire.HighWater, func(h wireHighWater) store.HighWater { return store.HighWater(h) }),
		LastError: maybe(wire.LastError, func(f wireFailure) store.Failure {
			return store.Failure{Kind: f.Kind, Name: f.Name, Message: f.Message, Remedy: f.Remedy, At: UTC(f.At)}
		}),
		History: each(wire.History, func(t wireTransition) store.Transition {
			return store.Transition{
				At: UTC(t.At), From: t.From, Event: t.Event, To: t.To, Took: time.Duration(t.TookNS), Holder: t.Holder,
			}
		}),
	}
	if wire.RootSince != nil {
		c.RootSince = UTC(*wire.RootSince)
	}
	if len(c.Ledger) == 0 {
		c.Ledger = nil
	}
	if len(c.Hashes) == 0 {
		c.Hashes = nil
	}
	return c, nil
}
