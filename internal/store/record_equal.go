package store

import (
	"maps"
	"reflect"
	"slices"
)

// Clone returns a copy that shares nothing with c.
func (c Checkpoint) Clone() Checkpoint {
	c.Ledger, c.Open, c.History = maps.Clone(c.Ledger), maps.Clone(c.Open), slices.Clone(c.History)
	hashes := make(map[string]map[string]string, len(c.Hashes))
	for id, fields := range c.Hashes {
		hashes[id] = maps.Clone(fields)
	}
	c.Hashes = hashes
	if c.HighWater != nil {
		mark := *c.HighWater
		c.HighWater = &mark
	}
	if c.LastError != nil {
		failure := *c.LastError
		c.LastError = &failure
	}
	return c
}

// Equal reports whether c and other are encoded to the same text.
func (c Checkpoint) Equal(other Checkpoint) bool {
	return reflect.DeepEqual(c.normal(), other.normal())
}

// normal returns c with nil for everything empty, and with times and history as they are stored.
func (c Checkpoint) normal() Checkpoint {
	if len(c.Ledger) == 0 {
		c.Ledger = nil
	}
	if len(c.Hashes) == 0 {
		c.Hashes = nil
	}
	if len(c.Open) == 0 {
		c.Open = nil
	}
	c.History = slices.Clone(c.History[max(0, len(c.History)-HistoryLimit):])
	for i := range c.History {
		c.History[i].At = c.History[i].At.UTC().Round(0)
	}
	if len(c.History) == 0 {
		c.History = nil
	}
	c.Since, c.RootSince = c.Since.UTC().Round(0), c.RootSince.UTC().Round(0)
	if c.LastError != nil {
		failure := *c.LastError
		failure.At = failure.At.UTC().Round(0)
		c.LastError = &failure
	}
	return c
}
