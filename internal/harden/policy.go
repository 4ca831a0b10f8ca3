package harden

import (
	"fmt"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
)

// ParsePolicy reads an ACL policy, HCL or JSON, as Vault does. If it cannot be parsed, Broken says
// so, without quoting it.
func ParsePolicy(name, text string) Policy {
	policy := Policy{Name: name}
	if text == "" { // Vault shows its policy root so
		return policy
	}
	list, err := acl.Parse(text)
	if err != nil {
		policy.Broken = "invalid HCL"
		return policy
	}
	for _, item := range list.Filter("path").Items {
		rule, err := parseRule(item)
		if err != nil {
			policy.Broken, policy.Rules = err.Error(), nil
			return policy
		}
		policy.Rules = append(policy.Rules, rule)
	}
	return policy
}

func parseRule(item *ast.ObjectItem) (Rule, error) {
	if len(item.Keys) == 0 {
		return Rule{}, fmt.Errorf("a rule has no path")
	}
	path, ok := item.Keys[0].Token.Value().(string)
	if !ok {
		return Rule{}, fmt.Errorf("a path must be a string")
	}
	var body struct {
		Policy       string   `hcl:"policy"`
		Capabilities []string `hcl:"capabilities"`
	}
	if err := hcl.DecodeObject(&body, item.Val); err != nil {
		return Rule{}, fmt.Errorf("the rule for %q cannot be read", path)
	}
	rule := Rule{Path: path, Capabilities: body.Capabilities}
	// The old form, which Vault still accepts.
	switch body.Policy {
	case "read":
		rule.Capabilities = append(rule.Capabilities, "read", "list")
	case "write":
		rule.Capabilities = append(rule.Capabilities, "create", "read", "update", "delete", "list")
	case "sudo":
		rule.Capabilities = append(rule.Capabilities, "create", "read", "update", "delete", "list", "sudo")
	case "deny":
		rule.Capabilities = append(rule.Capabilities, "deny")
	}
	return rule, nil
}
