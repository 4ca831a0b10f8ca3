// Package keyringtest holds what every recipient must do, whatever it is.
package keyringtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Key is a data key: any bytes, those that texts have trouble with among them.
var Key = secret.New("\x00\x01 a data key of 32 bytes\xfe\xff\r\n\n")

// About is what wraps of the tests belong to.
var About = keyring.Context{"record": "vault-bootstrap", "namespace": "vault", "key": "k1"}

// Wrap wraps Key, and checks what does not depend on the recipient.
func Wrap(t *testing.T, by keyring.Recipient) (wrapped []byte, version string) {
	t.Helper()
	wrapped, version, err := by.Wrap(t.Context(), Key, About)
	if err != nil {
		t.Fatalf("wrapping: %v (%s)", err, fault.RemedyOf(err))
	}
	if len(wrapped) == 0 || len(wrapped) > keyring.MaxWrap {
		t.Fatalf("the wrap has %d bytes", len(wrapped))
	}
	hides(t, "the wrap", string(wrapped))
	return wrapped, version
}

// hides checks that a text has the key in none of its usual forms.
func hides(t *testing.T, what, text string) {
	t.Helper()
	for _, form := range forms() {
		if strings.Contains(text, form) {
			t.Errorf("%s has the key in it", what)
		}
	}
}

func forms() []string {
	key := []byte(Key.Reveal())
	return []string{string(key), base64.StdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key), hex.EncodeToString(key)}
}

// Opens checks that a wrap opens to Key.
func Opens(t *testing.T, by keyring.Recipient, wrapped []byte) {
	t.Helper()
	got, err := by.Unwrap(t.Context(), wrapped, About)
	if err != nil {
		t.Errorf("unwrapping: %v (%s)", err, fault.RemedyOf(err))
	} else if !got.Equal(Key) {
		t.Errorf("unwrapping returns another key, of %d bytes", len(got.Reveal()))
	}
}

// Fails checks the error of an Unwrap: its reason, that it goes with no key, that its remedy has one
// or two sentences, and that it reveals neither the key nor secrets.
func Fails(t *testing.T, what string, got secret.Value, err error, want keyring.Reason, secrets ...string) {
	t.Helper()
	remedy := fault.RemedyOf(err)
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, not %q", what, err, want)
		return
	}
	if !got.Empty() {
		t.Errorf("%s: there is a key with the error %v", what, err)
	}
	if sentences := strings.Count(remedy+" ", ". "); sentences < 1 || sentences > 2 {
		t.Errorf("%s: the remedy has %d sentences: %q", what, sentences, remedy)
	}
	if kind, transient := fault.KindOf(err), want == keyring.Unreachable || want == keyring.Corrupted; (kind == fault.Transient) != transient || fault.NameOf(err) != "" {
		t.Errorf("%s: it is of kind %s, with the name %q", what, kind, fault.NameOf(err))
	}
	text := fmt.Sprintf("%v %+v %s", err, err, remedy)
	hides(t, what, text)
	for _, hidden := range secrets {
		if strings.Contains(text, hidden) {
			t.Errorf("%s: the error reveals a secret", what)
		}
	}
}

// WrapFails is Fails for a Wrap.
func WrapFails(t *testing.T, by keyring.Recipient, what string, want keyring.Reason, secrets ...string) {
	t.Helper()
	wrapped, version, err := by.Wrap(t.Context(), Key, About)
	if len(wrapped) > 0 || version != "" {
		t.Errorf("%s: there is a wrap with the error %v", what, err)
	}
	Fails(t, what, secret.Value{}, err, want, secrets...)
}

// UnwrapFails is Fails for an Unwrap.
func UnwrapFails(t *testing.T, by keyring.Recipient, what string, wrapped []byte, want keyring.Reason, secrets ...string) {
	t.Helper()
	got, err := by.Unwrap(t.Context(), wrapped, About)
	Fails(t, what, got, err, want, secrets...)
}

// Recipient checks what every recipient must do: that keys of all sizes come back, that two wraps of
// a key differ, and that only the very wrap opens, with only its context. Each step-th byte of the
// wrap is flipped; 1 tries them all.
func Recipient(t *testing.T, by keyring.Recipient, step int) {
	t.Helper()
	if form, err := keyring.Parse(by.Name()); err != nil || form.String() != by.Name() {
		t.Errorf("the name %q is not a canonical form: %v", by.Name(), err)
	}
	wrapped, _ := Wrap(t, by)
	Opens(t, by, wrapped)
	if again, _ := Wrap(t, by); bytes.Equal(again, wrapped) {
		t.Error("two wraps are the same")
	}
	sizes(t, by)
	contexts(t, by, wrapped)
	for i := 0; i < len(wrapped); i += step {
		flipped := bytes.Clone(wrapped)
		flipped[i] ^= 1
		UnwrapFails(t, by, fmt.Sprintf("byte %d of %d flipped", i, len(wrapped)), flipped, keyring.CannotDecrypt)
	}
	for what, bad := range map[string][]byte{
		"no wrap": nil, "half a wrap": wrapped[:len(wrapped)/2], "one byte less": wrapped[:len(wrapped)-1],
		"too long a wrap": bytes.Repeat([]byte("x"), keyring.MaxWrap+1), "a text": []byte("x"),
	} {
		UnwrapFails(t, by, what, bad, keyring.CannotDecrypt)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := by.Wrap(ctx, Key, About)
	Fails(t, "wrapping after the end", secret.Value{}, err, keyring.Unreachable)
	got, err := by.Unwrap(ctx, wrapped, About)
	Fails(t, "unwrapping after the end", got, err, keyring.Unreachable)
}

func sizes(t *testing.T, by keyring.Recipient) {
	t.Helper()
	for _, n := range []int{1, 16, 33, keyring.MaxKey} {
		key := secret.New(strings.Repeat("\xf0", n))
		wrapped, _, err := by.Wrap(t.Context(), key, About)
		if err != nil {
			t.Errorf("wrapping %d bytes: %v", n, err)
			continue
		}
		if got, err := by.Unwrap(t.Context(), wrapped, About); err != nil || !got.Equal(key) {
			t.Errorf("unwrapping %d bytes: %v", n, err)
		}
	}
	for _, n := range []int{0, keyring.MaxKey + 1} {
		if wrapped, _, err := by.Wrap(t.Context(), secret.New(strings.Repeat("x", n)), About); err == nil || wrapped != nil {
			t.Errorf("%d bytes are wrapped", n)
		}
	}
}

func contexts(t *testing.T, by keyring.Recipient, wrapped []byte) {
	t.Helper()
	for what, about := range map[string]keyring.Context{
		"another record":   {"record": "another", "namespace": "vault", "key": "k1"},
		"less of a record": {"record": "vault-bootstrap", "namespace": "vault"},
		"more of a record": {"record": "vault-bootstrap", "namespace": "vault", "key": "k1", "more": "x"},
		"no context":       nil,
		"a broken context": {"record": "vault-bootstrap", "namespace": "vault", "key": "k1", "a=b": "c"},
	} {
		got, err := by.Unwrap(t.Context(), wrapped, about)
		Fails(t, what, got, err, keyring.CannotDecrypt)
	}
	if bad, _, err := by.Wrap(t.Context(), Key, keyring.Context{"a\n": "b"}); err == nil || bad != nil {
		t.Error("a broken context is taken")
	}
}
