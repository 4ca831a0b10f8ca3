// Package needle finds secrets in what programs have shown or stored, in every form in which a
// secret may be in there. It knows nothing of where the texts come from.
package needle

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// Shortest is the length below which a text is too common to be looked for.
const Shortest = 8

// Needle is one form of a secret.
type Needle struct {
	// Form says what was done to the secret.
	Form string
	// Length is that of the secret.
	Length int
	text   []byte
}

// Set holds all forms of all secrets, by their first eight bytes: a text is read once, however many
// there are.
type Set map[uint64][]Needle

// Of returns the forms of secrets. Those that are too short are left out.
func Of(secrets []string) Set {
	all := Set{}
	for _, secret := range secrets {
		if len(secret) < Shortest {
			continue
		}
		for form, text := range forms(secret) {
			start := binary.LittleEndian.Uint64([]byte(text))
			all[start] = append(all[start], Needle{form, len(secret), []byte(text)})
		}
	}
	return all
}

// Search reports each needle that is in content, at its first place.
func (s Set) Search(content []byte, report func(found Needle, at int)) {
	seen := map[string]bool{}
	for at := 0; at+Shortest <= len(content); at++ {
		start := binary.LittleEndian.Uint64(content[at:])
		if start == 0 { // what a server has set aside on its disk is zeros
			continue
		}
		for _, each := range s[start] {
			if bytes.HasPrefix(content[at:], each.text) && !seen[string(each.text)] {
				seen[string(each.text)] = true
				report(each, at)
			}
		}
	}
}

// forms are the ways in which a secret could be shown.
func forms(secret string) map[string]string {
	all := map[string]string{
		"as it is": secret,
		"base64":   strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
		"hex":      hex.EncodeToString([]byte(secret)),
	}
	// In a text that is base64 as a whole, as JSON has the data of a Secret, it depends on where
	// the secret begins.
	for offset, name := range []string{"within base64", "within base64, one byte on", "within base64, two bytes on"} {
		all[name] = within(secret, offset)
	}
	// Key shares are base64, and Vault takes them in hex, too.
	if raw, err := base64.StdEncoding.DecodeString(secret); err == nil && len(raw) >= Shortest {
		all["hex of what it encodes"] = hex.EncodeToString(raw)
		all["what it encodes"] = string(raw)
	}
	return all
}

// within returns the characters that depend on nothing but the secret if it begins so many bytes
// after a multiple of three in a text that is encoded.
func within(secret string, offset int) string {
	text := base64.RawStdEncoding.EncodeToString(append(make([]byte, offset), secret...))
	first := (8*offset + 5) / 6
	whole := 8 * (offset + len(secret)) / 6
	return text[first:whole]
}
