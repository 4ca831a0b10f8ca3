package acl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
)

// DepthLimit is how deep brackets may lie in a text: the parser calls itself for each of
// them, and Go ends a program whose stack is full.
const DepthLimit = 100

// TooDeep reports whether the parser must not be given a text.
func TooDeep(text string) bool {
	return strings.Count(text, "[")+strings.Count(text, "{") > DepthLimit && deepest(text) > DepthLimit
}

// deepest returns how deep brackets lie, those in quoted texts included.
func deepest(text string) int {
	depth, most := 0, 0
	for _, r := range text {
		switch r {
		case '[', '{':
			depth++
			most = max(most, depth)
		case ']', '}':
			depth--
		}
	}
	return most
}

// Parse parses a policy in HCL or JSON with Vault's own grammar. An error of the grammar
// is one of the HCL parser, with its position.
func Parse(rules string) (*ast.ObjectList, error) {
	if rules == "" {
		return nil, errors.New("it is empty, and Vault takes no empty one")
	}
	if TooDeep(rules) {
		return nil, fmt.Errorf("brackets lie more than %d deep", DepthLimit)
	}
	file, err := hcl.Parse(rules)
	if err != nil {
		return nil, err
	}
	list, ok := file.Node.(*ast.ObjectList)
	if !ok {
		return nil, errors.New("a policy is a list of path blocks")
	}
	return list, nil
}

// Text returns the text of a key, without its quotes.
func Text(key *ast.ObjectKey) string {
	text, _ := key.Token.Value().(string)
	return text
}
