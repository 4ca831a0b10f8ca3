package fields

import (
	"net"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// The fields that hold addresses. Both were tried on Vault 1.21.1 and OpenBao 2.6.2.
var (
	// masked take CIDR blocks and nothing else.
	masked = []string{"secret_id_bound_cidrs", "bound_cidr_list", "cidr_list", "exclude_cidr_list"}
	// bound take addresses as well, and take any other text with a slash in it for the path of a
	// Unix socket.
	bound = []string{"token_bound_cidrs", "bound_cidrs"}
)

// blocks checks the addresses in a field.
func (c *check) blocks(o object.Object, name string, v any) {
	strict := slices.Contains(masked, name)
	if !strict && !slices.Contains(bound, name) {
		return
	}
	for _, text := range entries(v) {
		_, _, err := net.ParseCIDR(text)
		switch {
		case err == nil:
		case strict:
			c.problems.Add(o.Position, "%s: %q must hold CIDR blocks, such as 10.0.0.0/8 or 10.1.2.3/32", o.ID, name)
			return
		case net.ParseIP(text) != nil:
		case strings.Contains(text, "/"):
			if !strings.HasPrefix(text, "/") && !strings.HasPrefix(text, ".") {
				c.warn(o, "%q holds what is no CIDR block; servers take it for the path of a Unix socket, which no login comes from", name)
			}
		case strings.HasPrefix(text, "."), strings.Count(text, ":") == 1: // a path, an address with a port
		default:
			c.problems.Add(o.Position, "%s: %q must hold addresses or CIDR blocks, such as 10.1.2.3 or 10.0.0.0/8", o.ID, name)
			return
		}
	}
}

// entries returns the texts in a list, or in a text with commas.
func entries(v any) (found []string) {
	switch v := v.(type) {
	case string:
		return value.SplitList(v)
	case []any:
		for _, item := range v {
			if text, ok := item.(string); ok {
				found = append(found, value.SplitList(text)...)
			}
		}
	}
	return found
}
