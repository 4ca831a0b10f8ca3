package keyring

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Canonical returns a context as bytes, for services that take additional data as bytes: a line
// 'name=value' for each name, sorted by the bytes of the name, each ended by a newline.
func Canonical(about Context) ([]byte, error) {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(about)) {
		if !plain(name) || strings.Contains(name, "=") || !plain(about[name]) {
			return nil, fmt.Errorf("the context has a name %q that is empty or has '=' in it, or a control character or nothing as its value", name)
		}
		text.WriteString(name + "=" + about[name] + "\n")
	}
	return []byte(text.String()), nil
}

// plain reports whether a text is not empty, UTF-8 and without control characters.
func plain(text string) bool {
	return text != "" && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// errElsewhere is deliberately silent about the context that a wrap was made with: only its digest
// is known.
var errElsewhere = errors.New("it was made with another context: it belongs to another record")

// Bind returns what is encrypted in place of the key where a service takes no additional data: the
// SHA-256 of the canonical context (32 bytes), then the key.
func Bind(key secret.Value, about Context) (secret.Value, error) {
	canonical, err := Canonical(about)
	if err != nil {
		return secret.Value{}, err
	}
	digest := sha256.Sum256(canonical)
	return secret.New(string(digest[:]) + key.Reveal()), nil
}

// Unbind returns the key of what Bind has made, if it was with this context.
func Unbind(bound secret.Value, about Context) (secret.Value, error) {
	canonical, err := Canonical(about)
	if err != nil {
		return secret.Value{}, err
	}
	digest, content := sha256.Sum256(canonical), bound.Reveal()
	if len(content) <= len(digest) || len(content) > len(digest)+MaxKey {
		return secret.Value{}, fmt.Errorf("it has %d bytes inside, and not a digest and a key", len(content))
	}
	if subtle.ConstantTimeCompare(digest[:], []byte(content[:len(digest)])) != 1 {
		return secret.Value{}, errElsewhere
	}
	return secret.New(content[len(digest):]), nil
}

// CheckKey refuses a key that cannot be wrapped by every recipient.
func CheckKey(key secret.Value) error {
	if n := len(key.Reveal()); n == 0 || n > MaxKey {
		return fmt.Errorf("the key to be wrapped has %d bytes, and not 1 to %d", n, MaxKey)
	}
	return nil
}

// CheckWrap refuses what Wrap cannot have returned.
func CheckWrap(wrapped []byte) error {
	if n := len(wrapped); n == 0 || n > MaxWrap {
		return fmt.Errorf("the wrap has %d bytes, and not 1 to %d", n, MaxWrap)
	}
	return nil
}

// sumSize is the length of the checksum in front of a wrap, in bytes.
const sumSize = 8

// Sum returns a wrap with a checksum in front, the first 8 bytes of its SHA-256, for recipients whose
// service cannot say of each byte that it was changed.
func Sum(wrapped []byte) []byte {
	digest := sha256.Sum256(wrapped)
	return append(digest[:sumSize:sumSize], wrapped...)
}

// Summed returns a wrap without its checksum, and an error if that is not its own.
func Summed(wrapped []byte) ([]byte, error) {
	if len(wrapped) <= sumSize {
		return nil, fmt.Errorf("the wrap has only %d bytes", len(wrapped))
	}
	digest := sha256.Sum256(wrapped[sumSize:])
	if subtle.ConstantTimeCompare(digest[:sumSize], wrapped[:sumSize]) != 1 {
		return nil, errors.New("the checksum of the wrap is not its own")
	}
	return wrapped[sumSize:], nil
}
