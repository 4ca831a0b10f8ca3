package store

import (
	"crypto/rand"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Identity returns a holder's identity that no other process has, not even a restarted container of
// the same Pod: the parts that are not empty (Pod, UID, container, or host), the process ID, and 64
// random bits.
func Identity(parts ...string) string {
	var id []string
	for _, part := range parts {
		if part != "" {
			id = append(id, part)
		}
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails, by its documentation since Go 1.24
	return strings.Join(append(id, fmt.Sprint(os.Getpid()), fmt.Sprintf("%x", random)), "/")
}

// namePattern is a DNS label: the name is used as an object's name, a label's value and a file's
// name.
var namePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,55}[a-z0-9])?$`)

// CheckName refuses a name that is not valid in every store, so that moving from one to another
// never needs a new name. 57 characters leave room for "-state".
func CheckName(name string) error {
	if namePattern.MatchString(name) {
		return nil
	}
	return fault.Misuse(fmt.Errorf("%q cannot name the records", name),
		"Use at most 57 lower-case letters, digits and hyphens, with a letter or digit at both ends.")
}
