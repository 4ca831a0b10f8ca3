package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
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
