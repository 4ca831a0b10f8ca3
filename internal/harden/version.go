package harden

import (
	"cmp"
	"strconv"
	"strings"
)

// newestUnsupported is the newest minor version of Vault 1 that is known to get no more fixes: the
// vendor maintains the three newest ones, and 1.21 came out in October 2025.
const newestUnsupported = 18

// version is major, minor, patch.
type version [3]int

// parseVersion parses a version as Vault reports it: 1.21.1, 1.21.1+ent, 2.5.5-rc1.
func parseVersion(text string) (version, bool) {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "v"), "+")
	text, _, _ = strings.Cut(text, "-")
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return version{}, false
	}
	var v version
	for i, part := range parts {
		number, err := strconv.Atoi(part)
		if err != nil || number < 0 {
			return version{}, false
		}
		v[i] = number
	}
	return v, true
}

func (v version) compare(other version) int {
	return cmp.Or(cmp.Compare(v[0], other[0]), cmp.Compare(v[1], other[1]), cmp.Compare(v[2], other[2]))
}

// outdated reports whether a version is known to be out of support, or older than least. A version
// that cannot be parsed counts as outdated.
func outdated(text, least string) bool {
	v, ok := parseVersion(text)
	if !ok {
		return true
	}
	if wanted, ok := parseVersion(least); ok && v.compare(wanted) < 0 {
		return true
	}
	return v[0] == 0 || v[0] == 1 && v[1] <= newestUnsupported
}
