package names

import (
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// policies refers to the ACL policies in an object: of auth methods and of the identity store. What
// secrets engines call policies are those of others.
func (c *check) policies(o object.Object) {
	var fields []string
	switch {
	case o.Endpoint == "entity", o.Endpoint == "group":
		fields = []string{"policies"}
	case !strings.HasPrefix(string(o.Mount), o.Namespace+"sys/auth/"):
		return
	case strings.HasPrefix(o.Endpoint, "github/map/"):
		fields = []string{"value"}
	default:
		fields = []string{"token_policies", "policies"} // those that a token role allows need not be there
	}
	folder := o.Namespace + "sys/policies/acl/"
	for _, field := range fields {
		for _, name := range texts(o.Data[field]) {
			name = strings.ToLower(name)
			if strings.ContainsAny(name, "{*") || object.ID(folder+name).IsBuiltinPolicy() || slices.Contains(c.Policies, name) {
				continue // a template or a pattern
			}
			c.refer(o, reference{"policy", name, []string{folder}, o.Position})
		}
	}
}

// texts returns the names in a list or in a text with commas, without those that are known only later.
func texts(v any) (names []string) {
	switch v := v.(type) {
	case string:
		return value.SplitList(v)
	case []any:
		for _, item := range v {
			if text, ok := item.(string); ok {
				names = append(names, value.SplitList(text)...)
			}
		}
	}
	return names
}
