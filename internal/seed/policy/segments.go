package policy

import "strings"

// segments warns about paths with parts that servers refuse in requests: since Vault 1.21.5 and
// OpenBao 2.5.3, and earlier ones answer with a redirect.
func (c *policyCheck) segments(path string, line int) {
	if address.MatchString(path) { // warned about already
		return
	}
	bare := strings.TrimPrefix(path, "/")
	parts := strings.Split(bare, "/")
	for i, part := range parts {
		if part == "." || part == ".." || part == "" && i < len(parts)-1 {
			c.warn(line, "the path %q can never match: Vault takes no request whose path has //, . or .. in it", path)
			return
		}
	}
}
