package object

import (
	"strings"

	"github.com/hashicorp/hcl/hcl/printer"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// extractPolicy takes a policy that Vault shows in another format for the one that is
// declared: bank-vaults formats the policies that it writes, so that hardly one is in
// Vault as its file has it. Comments count.
func extractPolicy(o Object, answer map[string]any) (map[string]any, bool) {
	want, _ := value.Reveal(o.Data["policy"]).(string)
	shown, _ := answer["policy"].(string)
	if value.SameText("policy", want, shown) || !sameFormatted(want, shown) {
		return answer, true
	}
	return value.Merged(answer, map[string]any{"policy": want}), true
}

// sameFormatted reports whether two policies are one when they are formatted. What is
// no HCL, such as a policy in JSON, is none.
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
