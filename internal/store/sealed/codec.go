// Package sealed is the text of the keys record with its secrets encrypted, which is version 2 of
// it; docs/keys-record.md is its specification. It decides when a record is encrypted, and asks
// recipients for the data key. Version 1, in clear, is that of package wire.
//
// The package must not know where a record is kept, who may write it, or what a recipient is.
package sealed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// Codec reads and writes keys records of one name. It is safe for use by several goroutines.
type Codec struct {
	name string

	mu sync.Mutex
	// ring holds the recipients that this process was given.
	ring Ring
	// known holds the data keys that this process has made or unwrapped, by their IDs, and unread
	// the IDs of those that it has made and not yet seen in a record.
	known  map[string]secret.Value
	unread map[string]bool
	// last is how the record was encrypted when it was last read or prepared; nil if it was not.
	last *store.Sealing
	// present are the names of those to whom the record was encrypted when it was last read.
	present []string
	// clear is whether the record was last read in clear, with secrets, and moved whether it was
	// encrypted then.
	clear, moved bool
}

// New returns a Codec for the records of a name. It opens and encrypts nothing before Use.
func New(name string) *Codec {
	return &Codec{name: name, known: map[string]secret.Value{}, unread: map[string]bool{}}
}

// Use gives the Codec its recipients.
func (c *Codec) Use(ring Ring) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ring = ring
}

// Decode returns a record, opened. If this process does not know the data key, it asks recipients
// for it, one after another until one answers. It fails with store.ErrLocked if none opens it. o
// names the record in errors.
func (c *Codec) Decode(ctx context.Context, data []byte, o wire.Object) (store.Keys, error) {
	record, encrypted, err := readAny(data, o)
	if err != nil {
		return store.Keys{}, err
	}
	if !encrypted {
		return c.decodeClear(data, o)
	}
	key, err := c.dataKey(ctx, record, o)
	if err != nil {
		return store.Keys{}, err
	}
	keys, err := record.open(c.name, key, o)
	if err != nil {
		return store.Keys{}, err
	}
	keys.Sealing = record.sealing()
	c.saw(keys)
	return keys, nil
}

// Outline returns a record without opening it.
func (c *Codec) Outline(data []byte, o wire.Object) (store.Keys, error) {
	record, encrypted, err := readAny(data, o)
	if err != nil {
		return store.Keys{}, err
	}
	if !encrypted {
		return c.decodeClear(data, o)
	}
	keys, err := wire.DecodeOutline(record.Header, o)
	if err != nil {
		return store.Keys{}, err
	}
	keys.Sealing = record.sealing()
	keys.Sealing.Stored = data
	c.mu.Lock()
	defer c.mu.Unlock()
	c.present = record.recipients()
	return keys, nil
}

func (c *Codec) decodeClear(data []byte, o wire.Object) (store.Keys, error) {
	keys, err := wire.DecodeKeys(data, o)
	if err == nil {
		c.saw(keys)
	}
	return keys, err
}

// saw remembers how an opened record is encrypted: should somebody remove it, it is created again
// no less protected.
func (c *Codec) saw(keys store.Keys) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear = keys.Sealing == nil && keys.Secret()
	if c.present = nil; keys.Sealing == nil {
		return
	}
	c.present = recipientsOf(*keys.Sealing)
	delete(c.unread, keys.Sealing.DataKey)
	if c.last == nil || c.last.DataKey != keys.Sealing.DataKey || c.last.Generation < keys.Sealing.Generation {
		c.last = keys.Sealing
	}
}

// Moved reports whether this process has encrypted a record that was in clear.
func (c *Codec) Moved() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.moved
}

// Recipients returns the names of those to whom the record was encrypted when it was last read, and of
// those that this process was given, both sorted; given is nil if those are only some on purpose.
func (c *Codec) Recipients() (present, given []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	present = slices.Sorted(slices.Values(c.present))
	if c.ring.Some {
		return present, nil
	}
	for _, recipient := range c.ring.Recipients {
		given = append(given, recipient.Name())
	}
	slices.Sort(given)
	return present, given
}

// Warnings returns what recipients report that stopped nothing and that a person should know.
func (c *Codec) Warnings() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, recipient := range c.ring.Recipients {
		if warns, ok := recipient.(interface{ Warning() string }); ok && warns.Warning() != "" {
			all = append(all, warns.Warning())
		}
	}
	return all
}

// Encode returns the stored form of keys. It asks no recipient: see store.Store.SaveKeys. What it
// returns was opened again and is equal to keys. fresh is whether the data key is new, so that what
// was stored should be read back.
func (c *Codec) Encode(keys store.Keys) (data []byte, fresh bool, err error) {
	if keys.Locked() {
		data, err = withHeader(keys)
		return data, false, err
	}
	sealing, err := c.sealingFor(keys)
	if err != nil {
		return nil, false, err
	}
	if sealing == nil {
		data, err = wire.EncodeKeys(keys)
		return data, false, err
	}
	c.mu.Lock()
	key, known := c.known[sealing.DataKey]
	fresh = c.unread[sealing.DataKey]
	c.mu.Unlock()
	if !known {
		return nil, false, fmt.Errorf("encrypting the keys: the data key %s is not known", sealing.DataKey)
	}
	if data, err = seal(c.name, keys, *sealing, key); err != nil {
		return nil, false, fmt.Errorf("encrypting the keys: %w", err)
	}
	return data, fresh, c.proveOpens(data, keys, key)
}

// sealingFor returns how to encrypt keys; nil for a record in clear.
func (c *Codec) sealingFor(keys store.Keys) (*store.Sealing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case keys.Sealing != nil:
		return keys.Sealing, nil
	case !keys.Secret():
		return nil, nil
	case c.last != nil:
		return c.last, nil
	case len(c.ring.Recipients) > 0 && !c.clear:
		return nil, errors.New("encrypting the keys: no data key was prepared for the recipients")
	default:
		return nil, nil
	}
}

// proveOpens opens what was encrypted and compares it with what went in: nothing else will ever be
// known of it.
func (c *Codec) proveOpens(data []byte, keys store.Keys, key secret.Value) error {
	o := wire.Object{Name: "the encrypted record", Restore: "none was replaced"}
	record, err := read(data, o)
	if err != nil {
		return err
	}
	back, err := record.open(c.name, key, o)
	if err != nil {
		return err
	}
	return same(keys, back)
}

// Confirm compares what was stored with the keys that were to be stored. No recipient is asked.
func (c *Codec) Confirm(data []byte, keys store.Keys, o wire.Object) error {
	c.mu.Lock()
	wasClear := c.clear
	c.mu.Unlock()
	back, err := c.Decode(context.Background(), data, o)
	if err == nil {
		err = same(keys, back)
	}
	if err != nil {
		return fmt.Errorf("reading the encrypted keys back: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved = c.moved || wasClear
	return nil
}

// same fails if the keys differ, however they are encrypted.
func same(keys, back store.Keys) error {
	want, err := wire.EncodeKeys(keys)
	if err != nil {
		return err
	}
	got, err := wire.EncodeKeys(back)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("the record does not open to the keys that it was made of")
	}
	return err
}
