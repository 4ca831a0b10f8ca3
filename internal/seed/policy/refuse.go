package policy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// oldWords are the values of the key policy of a path, from before there were capabilities.
var oldWords = []string{"deny", "read", "write", "sudo"}

// pathRules are the keys of a path block whose values Vault 1.21 refuses if they have another type.
type pathRules struct {
	Policy       string           `hcl:"policy"`
	Capabilities []string         `hcl:"capabilities"`
	Least        any              `hcl:"min_wrapping_ttl"`
	Most         any              `hcl:"max_wrapping_ttl"`
	Allowed      map[string][]any `hcl:"allowed_parameters"`
	Denied       map[string][]any `hcl:"denied_parameters"`
	Required     []string         `hcl:"required_parameters"`
	MFAMethods   []string         `hcl:"mfa_methods"`
	EventTypes   []string         `hcl:"subscribe_event_types"`
}

// rules reports values in a path block that Vault cannot read.
func (c *policyCheck) rules(path string, item *ast.ObjectItem) {
	line, rules := item.Pos().Line, pathRules{}
	if err := hcl.DecodeObject(&rules, item.Val); err != nil {
		c.refuse(line, "the block of the path %q cannot be parsed: %s", path, err)
		return
	}
	if rules.Policy != "" && !slices.Contains(oldWords, rules.Policy) {
		c.refuse(line, `"policy" of the path %q must be one of %s%s`, path, strings.Join(oldWords, ", "), value.Suggestion(rules.Policy, oldWords))
	}
	if rules.Policy == "deny" || slices.Contains(rules.Capabilities, "deny") { // Vault reads no further then
		return
	}
	least, okLeast := c.length(path, line, "min_wrapping_ttl", rules.Least)
	most, okMost := c.length(path, line, "max_wrapping_ttl", rules.Most)
	if okLeast && okMost && least != 0 && most != 0 && most < least {
		c.refuse(line, `"max_wrapping_ttl" of the path %q is less than "min_wrapping_ttl"`, path)
	}
}

// length returns a duration in seconds.
func (c *policyCheck) length(path string, line int, key string, v any) (float64, bool) {
	if v == nil || v == "" {
		return 0, true
	}
	text, isScalar := value.ScalarText(v)
	length, ok := value.Seconds(text)
	if number, err := strconv.ParseFloat(text, 64); err == nil { // Vault takes whole seconds of it
		length, ok = math.Trunc(number), true
	}
	if _, isTruth := v.(bool); !ok || !isScalar || isTruth {
		c.refuse(line, "%q of the path %q must be a duration, such as 90, 30m, 1h30m or 7d", key, path)
		return 0, false
	}
	return length, true
}

// refuse adds what Vault would refuse the policy for.
func (c *policyCheck) refuse(line int, format string, args ...any) {
	c.problems.Add(c.policy.Position, "%s: not a valid policy%s: %s", c.policy.ID, onLine(line), fmt.Sprintf(format, args...))
}
