// Package wire encodes the records: it writes keys and checkpoints as JSON, reads them back, and
// refuses what it does not understand. Only its conversions turn secrets into text. It must not
// know where a record is kept, or who may write it.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Version is the version of the checkpoints, and of the keys in clear, that this program writes. A
// record of a later version is refused, not guessed at: dropping a field that we do not know could
// drop a key.
const Version = 1

// Names of the faults that a record can have.
const (
	// RecordCorrupt: the record exists, but is not what we write.
	RecordCorrupt = "record corrupt"
	// RecordLater: the record contains something that this version does not know.
	RecordLater = "record from a later version"
)

// Object names a record where it is kept, for messages.
type Object struct {
	// Name is what a person would look for: `Secret "vault/x-keys"`, a path.
	Name string
	// Restore says how to restore a copy, as a clause; it may be a command.
	Restore string
	// Rebuilt is empty, or says in a sentence what happens when it is removed.
	Rebuilt string
}

// Encode marshals a wire record. HTML is not escaped: people read the policies and errors in a
// checkpoint.
func Encode(wire any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(wire); err != nil {
		return nil, fmt.Errorf("encoding a record: %w", err)
	}
	return b.Bytes(), nil
}

// Decode unmarshals data into the wire record at wire. Everything that is not
// understood is a terminal error and never dropped: a field that a later version
// added may hold a key, and writing the record back would lose it.
func Decode(data []byte, wire any, o Object) error {
	if _, err := VersionOf(data, Version, o); err != nil {
		return err
	}
	return Strictly(data, wire, o)
}

// VersionOf returns the version of a record, and refuses one later than newest.
func VersionOf(data []byte, newest int, o Object) (int, error) {
	var header struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &header); err != nil {
		return 0, Corrupt(o, err)
	}
	switch {
	case header.Version > newest:
		return 0, later(fmt.Errorf("%s has version %d, this program knows %d", o.Name, header.Version, newest))
	case header.Version < 1:
		return 0, Corrupt(o, errors.New("it has no version"))
	}
	return header.Version, nil
}

// Strictly is Decode of a record whose version is known.
func Strictly(data []byte, wire any, o Object) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(wire); err != nil {
		// encoding/json has no error type for an unknown field.
		if strings.HasPrefix(err.Error(), "json: unknown field") {
			return later(fmt.Errorf("reading %s: %w", o.Name, err))
		}
		return Corrupt(o, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Corrupt(o, errors.New("there is data after its end"))
	}
	return nil
}

func later(err error) error {
	return fault.Stop(RecordLater, err,
		"It was written by a newer vault-bootstrap. Run that version or a later one; nothing was changed.")
}

// Corrupt returns the terminal error of a record that is not what we write.
func Corrupt(o Object, err error) error {
	// A ParseError quotes the text that it could not read: in a record of keys
	// that must not reach a message.
	if _, ok := errors.AsType[*time.ParseError](err); ok {
		err = errors.New("a time in it is not RFC 3339")
	}
	remedy := fmt.Sprintf("Nothing was changed. Inspect it, and restore an intact copy: %s.", o.Restore)
	if o.Rebuilt != "" {
		remedy += " " + o.Rebuilt
	}
	return fault.Stop(RecordCorrupt, fmt.Errorf("reading %s: %w", o.Name, err), remedy)
}

// UTC drops the zone and the monotonic clock, since records compare times as text.
func UTC(t time.Time) time.Time { return t.UTC().Round(0) }

// each converts a slice; an empty one becomes nil, as omitempty makes it.
func each[A, B any](items []A, convert func(A) B) []B {
	if len(items) == 0 {
		return nil
	}
	converted := make([]B, len(items))
	for i, item := range items {
		converted[i] = convert(item)
	}
	return converted
}

// maybe converts *item, if there is one.
func maybe[A, B any](item *A, convert func(A) B) *B {
	if item == nil {
		return nil
	}
	converted := convert(*item)
	return &converted
}
