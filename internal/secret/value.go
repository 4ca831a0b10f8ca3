// Package secret keeps values that open something (key shares, tokens, private
// keys, passwords) from being shown by accident.
//
// A Value prints, formats, logs and marshals as REDACTED, whatever the verb or the encoder. Only
// Reveal returns the text inside, so that one search finds every place where a secret leaves the
// program. The package must not know what the values open.
package secret

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Redacted replaces every secret in any output.
const Redacted = "REDACTED"

// ErrUnmarshal is returned by every attempt to decode into a Value. A Value
// marshals as Redacted, so decoding one blindly would replace a key by that word;
// records that hold secrets convert explicitly with New and Reveal.
var ErrUnmarshal = errors.New("a secret.Value cannot be decoded: convert with secret.New")

// Value holds a secret text. The zero Value is empty.
type Value struct {
	// text sits behind a pointer to a type of its own, so that reflection-based
	// printers (%+v of an outer struct's unexported field) show an address only.
	text *string
}

// New wraps text.
func New(text string) Value {
	if text == "" {
		return Value{}
	}
	return Value{text: &text}
}

// withheld is the text of every withheld value: the address counts, not the text.
var withheld = new(string)

// Withheld stands for a secret that exists, and that this process cannot read: it is not empty, and
// has no text. Whoever may get one asks IsWithheld before Reveal.
func Withheld() Value { return Value{text: withheld} }

// IsWithheld reports whether v stands for a secret that cannot be read.
func (v Value) IsWithheld() bool { return v.text == withheld }

// Values wraps each of texts.
func Values(texts []string) []Value {
	values := make([]Value, len(texts))
	for i, text := range texts {
		values[i] = New(text)
	}
	return values
}

// Reveal returns the text. The result must go to Vault, to the store or to the person who asked for
// it, and nowhere else. It is empty for a withheld secret.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// Reveal returns the text of each value.
func Reveal(values []Value) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = value.Reveal()
	}
	return texts
}

// Empty reports whether there is no text inside.
func (v Value) Empty() bool { return v.text == nil }

// Equal compares in time that does not depend on where the texts differ. A withheld secret equals
// none, itself included: nobody knows.
func (v Value) Equal(other Value) bool {
	if v.IsWithheld() || other.IsWithheld() {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(other.Reveal())) == 1
}

// String returns Redacted.
func (v Value) String() string { return Redacted }

// GoString returns Redacted.
func (v Value) GoString() string { return Redacted }

// Format writes Redacted for every verb and flag: %x of a Stringer would
// otherwise print the text's bytes.
func (v Value) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, Redacted) }

// LogValue makes slog print Redacted.
func (v Value) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText returns Redacted; encoding/json, YAML and XML encoders use it.
func (v Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalText always fails with ErrUnmarshal.
func (v *Value) UnmarshalText([]byte) error { return ErrUnmarshal }
