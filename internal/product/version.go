package product

import (
	"cmp"
	"strconv"
	"strings"
)

// Version is a version as a server reports it. The zero value is one that was not reported.
type Version struct {
	text                string
	known               bool
	major, minor, patch int
}

// ParseVersion parses a version as a server reports it: 1.21.1, 1.21.1+ent, 2.6.0-beta20260622. It
// returns false if it is none; the text is kept.
func ParseVersion(text string) (Version, bool) {
	unparsed := Version{text: text}
	number, _, _ := strings.Cut(strings.TrimPrefix(text, "v"), "+")
	number, _, _ = strings.Cut(number, "-")
	parts := strings.Split(number, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return unparsed, false
	}
	var numbers [3]int
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return unparsed, false
		}
		numbers[i] = n
	}
	return Version{text: text, known: true, major: numbers[0], minor: numbers[1], patch: numbers[2]}, true
}

// String returns the version as the server wrote it.
func (v Version) String() string { return v.text }

// Compare is negative if v is older than other, and positive if it is newer. What follows the
// three numbers, such as +ent, does not count.
func (v Version) Compare(other Version) int {
	return cmp.Or(cmp.Compare(v.major, other.major), cmp.Compare(v.minor, other.minor), cmp.Compare(v.patch, other.patch))
}
