package object

import (
	"slices"
	"strings"
)

// builtinPolicies are the ACL policies that servers make themselves: of Vault 1.21, and
// default-ceiling of Vault 2.0.
var builtinPolicies = []string{"control-group", "default", "default-ceiling", "response-wrapping", "root"}

// IsBuiltinPolicy reports whether id is that of a policy that servers make themselves, in any
// namespace.
func (id ID) IsBuiltinPolicy() bool {
	_, name, isPolicy := strings.Cut("/"+string(id), "/sys/policies/acl/")
	return isPolicy && slices.Contains(builtinPolicies, name)
}
