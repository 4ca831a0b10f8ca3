package keyring

import (
	"strings"
	"unicode"
)

// maxSaid is how much of a service's message an error repeats, in bytes.
const maxSaid = 300

// Said returns a service's message as an error repeats it: one line, not long, and nothing of it if
// it has one of the secrets in it, as a service may that quotes what it was sent.
func Said(message string, secrets ...string) string {
	for _, hidden := range secrets {
		if hidden != "" && strings.Contains(message, hidden) {
			return "(a message that is not repeated, since it quotes what was sent)"
		}
	}
	message = strings.Join(strings.FieldsFunc(message, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if len(message) > maxSaid {
		message = strings.ToValidUTF8(message[:maxSaid], "") + "…"
	}
	return message
}
