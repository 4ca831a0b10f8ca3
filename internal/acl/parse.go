package acl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
)

// DepthLimit is how deep brackets may nest in a text: the parser recurses into each of them, and Go
// kills a program that overflows its stack.
const DepthLimit = 100

// TooDeep reports whether a text nests too deep for the parser.
func TooDeep(text string) bool {
	return strings.Count(text, "[")+strings.Count(text, "{") > DepthLimit && deepest(text) > DepthLimit
}

// deepest returns how deep brackets nest, those in quoted texts included.
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

// Parse parses a policy in HCL or JSON with Vault's own grammar. A syntax error is the HCL
// parser's, with its position.
func Parse(rules string) (*ast.ObjectList, error) {
	if rules == "" {
		return nil, errors.New("it is empty, and Vault accepts no empty policy")
	}
	if TooDeep(rules) {
		return nil, fmt.Errorf("brackets nest more than %d deep", DepthLimit)
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
