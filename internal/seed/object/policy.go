package object

import (
	"strings"

	"github.com/hashicorp/hcl/hcl/printer"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// extractPolicy treats a policy that Vault shows in another format as the declared one: bank-vaults
// formats the policies that it writes, so that hardly any is in Vault as in its file. Comments
// count.
func extractPolicy(o Object, answer map[string]any) (map[string]any, bool) {
	want, _ := value.Reveal(o.Data["policy"]).(string)
	shown, _ := answer["policy"].(string)
	if value.SameText("policy", want, shown) || !sameFormatted(want, shown) {
		return answer, true
	}
	return value.Merged(answer, map[string]any{"policy": want}), true
}

// sameFormatted reports whether two policies are the same once formatted. What is not HCL, such as
// a policy in JSON, never is.
func sameFormatted(want, shown string) bool {
	formatted, ok := format(want)
	if !ok || formatted == strings.TrimSpace(shown) {
		return ok
	}
	other, ok := format(shown)
	return ok && formatted == other
}

func format(rules string) (string, bool) {
	if acl.TooDeep(rules) {
		return "", false
	}
	formatted, err := printer.Format([]byte(rules))
	return strings.TrimSpace(string(formatted)), err == nil
}

// PasswordPolicy returns the password policy name.
func PasswordPolicy(name string, rules any) Object {
	return Object{ID: ID("sys/policies/password/" + name), Stage: StagePasswords, Data: map[string]any{"policy": rules}, Endpoint: "password-policy"}
}
