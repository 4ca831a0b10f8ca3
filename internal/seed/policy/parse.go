package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// parseRules parses a policy.
func parseRules(rules string) (*ast.ObjectList, error) {
	list, err := acl.Parse(rules)
	if err != nil {
		return nil, parseError("policy", err)
	}
	return list, nil
}

// parseError rewords the parser's errors: the line counts within the policy.
func parseError(what string, err error) error {
	if e, ok := errors.AsType[*parser.PosError](err); ok {
		return fmt.Errorf("not a valid %s%s: %w", what, onLine(e.Pos.Line), e.Err)
	}
	if twice := setTwice.FindStringSubmatch(err.Error()); twice != nil {
		return fmt.Errorf("not a valid %s, line %s of it: %s is set twice in one block", what, twice[2], strings.ReplaceAll(twice[1], `\"`, ""))
	}
	return fmt.Errorf("not a valid %s: %w", what, err)
}

// setTwice is what the parser says about an attribute that is set twice, which Vault refuses since
// 2.1.
var setTwice = regexp.MustCompile(`^The argument (.*) at (\d+):\d+ was already set`)

// onLine names the line of a policy; the lines of JSON are not known.
func onLine(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(", line %d of it", line)
}

// vocabulary is the words that a place in a policy can have: those of Vault 1.21, and those that
// only OpenBao 2.6 knows. Both refuse a policy with any other word (400).
type vocabulary struct{ vault, openBao []string }

// knows reports whether a server takes word, and whether Vault does.
func (v vocabulary) knows(word string) (some, vault bool) {
	vault = slices.Contains(v.vault, word)
	return vault || slices.Contains(v.openBao, word), vault
}

// suggestion returns a suggestion for a word that no server knows.
func (v vocabulary) suggestion(word string) string {
	return value.Suggestion(word, slices.Concat(v.vault, v.openBao))
}

// The words of policies.
var (
	policyCapabilities = vocabulary{
		vault:   []string{"create", "read", "update", "patch", "delete", "list", "sudo", "deny", "subscribe", "recover"},
		openBao: []string{"scan"},
	}
	policyKeysOfPath = vocabulary{
		vault: []string{
			"comment", "policy", "capabilities", "allowed_parameters", "denied_parameters", "required_parameters",
			"min_wrapping_ttl", "max_wrapping_ttl", "mfa_methods", "control_group", "subscribe_event_types",
		},
		openBao: []string{"pagination_limit", "expiration", "list_scan_response_keys_filter_path"},
	}
)

// block refuses keys and capabilities that no server knows, and warns about those that Vault does
// not.
func (c *policyCheck) block(path string, item *ast.ObjectItem) {
	body, ok := item.Val.(*ast.ObjectType)
	if !ok {
		return
	}
	read := capabilitiesRead(body)
	for _, field := range body.List.Items {
		name := acl.Text(field.Keys[0])
		some, vault := policyKeysOfPath.knows(name)
		switch {
		case !some:
			c.refuse(field.Pos().Line, "Vault does not recognize the key %q of the path %q%s", name, path, policyKeysOfPath.suggestion(name))
		case !vault:
			c.warn(field.Pos().Line, "only OpenBao takes the key %q of the path %q: Vault refuses the policy", name, path)
		}
		if list, isList := field.Val.(*ast.ListType); isList && name == "capabilities" {
			c.capabilities(path, list, read)
		}
	}
}

// capabilitiesRead reports whether a server reads the capabilities of a path: not beside the policy
// "deny", and OpenBao not in a block that has expired.
func capabilitiesRead(body *ast.ObjectType) bool {
	for _, field := range body.List.Items {
		literal, _ := field.Val.(*ast.LiteralType)
		switch acl.Text(field.Keys[0]) {
		case "expiration":
			return false
		case "policy":
			if literal != nil && literal.Token.Value() == "deny" {
				return false
			}
		}
	}
	return true
}

// capabilities checks the capabilities of a path. Servers read no further than "deny", or none of
// them if read is not set: what they do not read, they do not refuse.
func (c *policyCheck) capabilities(path string, list *ast.ListType, read bool) {
	seen := map[string]bool{}
	for _, node := range list.List {
		literal, ok := node.(*ast.LiteralType)
		if !ok {
			continue
		}
		word, _ := literal.Token.Value().(string)
		some, vault := policyCapabilities.knows(word)
		switch line := node.Pos().Line; {
		case !some && read && !seen["deny"]:
			c.refuse(line, "Vault does not recognize the capability %q of the path %q%s", word, path, policyCapabilities.suggestion(word))
		case !some:
			c.warn(line, "Vault does not recognize the capability %q of the path %q%s", word, path, policyCapabilities.suggestion(word))
		case !vault:
			c.warn(line, "only OpenBao takes the capability %q of the path %q: Vault refuses the policy", word, path)
		}
		if seen[word] {
			c.warn(node.Pos().Line, "duplicate capability %q of the path %q", word, path)
		}
		seen[word] = true
	}
	if seen["deny"] && len(seen) > 1 {
		c.warn(list.Pos().Line, "the capability \"deny\" of the path %q overrides all others", path)
	}
}
