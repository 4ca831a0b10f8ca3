package sealed

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// Version is the version of a record with encrypted secrets.
const Version = 2

// document is a record as it is stored.
type document struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	// Header is the record in version 1, with a placeholder for each secret.
	Header  json.RawMessage `json:"header"`
	Sealing wireSealing     `json:"sealing"`
}

type wireSealing struct {
	DataKey    string     `json:"data_key"`
	Generation int64      `json:"generation"`
	Wraps      []wireWrap `json:"wraps"`
	Nonce      []byte     `json:"nonce"`
	Box        []byte     `json:"box"`
}

type wireWrap struct {
	Recipient string    `json:"recipient"`
	Version   string    `json:"key_version,omitempty"`
	Wrapped   []byte    `json:"wrapped"`
	Made      time.Time `json:"made"`
	Proven    time.Time `json:"proven,omitzero"`
	Escrow    bool      `json:"escrow,omitempty"`
}

// content is what is encrypted.
type content struct {
	Recipients []string `json:"recipients"`
	// Record is the record in version 1, without what may change while it cannot be opened.
	Record json.RawMessage `json:"record"`
}

// readAny decodes the document of a record that may be in clear: of such a one it returns nothing.
func readAny(data []byte, o wire.Object) (record *document, encrypted bool, err error) {
	version, err := wire.VersionOf(data, Version, o)
	if err != nil || version == wire.Version {
		return nil, false, err
	}
	record, err = read(data, o)
	return record, err == nil, err
}

// read decodes the document of a record whose version is known.
func read(data []byte, o wire.Object) (*document, error) {
	record := &document{}
	if err := wire.Strictly(data, record, o); err != nil {
		return nil, err
	}
	switch {
	case len(record.Header) == 0:
		return nil, wire.Corrupt(o, errors.New("it has no header"))
	case len(record.Sealing.Wraps) == 0:
		return nil, wire.Corrupt(o, errors.New("it has no recipients"))
	}
	return record, nil
}

func (d *document) sealing() *store.Sealing {
	s := &store.Sealing{DataKey: d.Sealing.DataKey, Generation: d.Sealing.Generation}
	for _, w := range d.Sealing.Wraps {
		w.Made, w.Proven = wire.UTC(w.Made), wire.UTC(w.Proven)
		if w.Proven.IsZero() && !w.Escrow {
			// Written before there was a date: whoever is no escrow unwrapped it when it was made.
			w.Proven = w.Made
		}
		s.Wraps = append(s.Wraps, store.Wrap(w))
	}
	return s
}

func (d *document) recipients() []string { return recipientsOf(*d.sealing()) }

func recipientsOf(s store.Sealing) []string {
	names := make([]string, len(s.Wraps))
	for i, wrap := range s.Wraps {
		names[i] = wrap.Recipient
	}
	return names
}

// seal returns the document of keys, encrypted with key in the next generation of sealing.
func seal(name string, keys store.Keys, sealing store.Sealing, key secret.Value) ([]byte, error) {
	d := document{Version: Version, Name: name, Sealing: wireSealing{DataKey: sealing.DataKey, Generation: sealing.Generation + 1}}
	for _, w := range sealing.Wraps {
		w.Made, w.Proven = wire.UTC(w.Made), wire.UTC(w.Proven)
		d.Sealing.Wraps = append(d.Sealing.Wraps, wireWrap(w))
	}
	var err error
	if d.Header, err = wire.EncodeOutline(keys); err != nil {
		return nil, err
	}
	inside := content{Recipients: recipientsOf(sealing)}
	if inside.Record, err = wire.EncodeKeys(bound(keys)); err != nil {
		return nil, err
	}
	plain, err := wire.Encode(inside)
	if err != nil {
		return nil, err
	}
	if d.Sealing.Nonce, d.Sealing.Box, err = encrypt(key, plain, d.additional(name)); err != nil {
		return nil, err
	}
	return wire.Encode(d)
}

// additional is what the box is bound to besides its content.
func (d *document) additional(name string) []byte {
	return fmt.Appendf(nil, "keys record of vault-bootstrap\n%d\n%s\n%d\n%s\n", Version, name, d.Sealing.Generation, d.Sealing.DataKey)
}

// open decrypts the box and compares the header with it. name is what the record should be called.
func (d *document) open(name string, key secret.Value, o wire.Object) (store.Keys, error) {
	if d.Name != name {
		return store.Keys{}, wire.Corrupt(o, fmt.Errorf("it is the record of %q, not of %q", d.Name, name))
	}
	plain, err := decrypt(key, d.Sealing.Nonce, d.Sealing.Box, d.additional(name))
	if err != nil {
		return store.Keys{}, wire.Corrupt(o, errors.New("its box does not open with its own data key: the box was changed, or is that of another record or of another time"))
	}
	var inside content
	if err := wire.Strictly(plain, &inside, o); err != nil {
		return store.Keys{}, err
	}
	keys, err := wire.DecodeKeys(inside.Record, o)
	if err != nil {
		return store.Keys{}, err
	}
	header, err := wire.DecodeOutline(d.Header, o)
	if err != nil {
		return store.Keys{}, err
	}
	edited, err := d.differs(inside.Recipients, keys, header)
	if err != nil {
		return store.Keys{}, err
	}
	if edited != "" {
		return store.Keys{}, wire.Corrupt(o, fmt.Errorf("its header was changed: %s is not what was encrypted", edited))
	}
	unbind(&keys, header)
	return keys, nil
}

// withHeader returns the document of a record that was not opened, with the header of keys and
// everything else as it was.
func withHeader(keys store.Keys) ([]byte, error) {
	o := wire.Object{Name: "the encrypted record", Restore: "nothing was changed"}
	d, err := read(keys.Sealing.Stored, o)
	if err != nil {
		return nil, err
	}
	before, err := wire.DecodeOutline(d.Header, o)
	if err != nil {
		return nil, err
	}
	changed, err := difference(bound(before), bound(keys))
	if err != nil {
		return nil, err
	}
	if changed != "" {
		return nil, fmt.Errorf("writing the keys: %w, and %s cannot be changed without that", store.ErrLocked, changed)
	}
	if d.Header, err = wire.EncodeOutline(keys); err != nil {
		return nil, err
	}
	return wire.Encode(d)
}
