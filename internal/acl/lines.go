package acl

import (
	"strings"

	"github.com/hashicorp/hcl/hcl/ast"
)

// Lines returns the rules of a policy, each as "path: capability, capability", in the order of the
// text. A policy that cannot be parsed has none.
func Lines(policy string) []string {
	list, err := Parse(policy)
	if err != nil {
		return nil
	}
	var lines []string
	for _, item := range list.Filter("path").Items {
		body, isBlock := item.Val.(*ast.ObjectType)
		if len(item.Keys) == 0 || !isBlock {
			continue
		}
		var capabilities []string
		for _, field := range body.List.Filter("capabilities").Items {
			named, isList := field.Val.(*ast.ListType)
			if !isList {
				continue
			}
			for _, node := range named.List {
				if literal, is := node.(*ast.LiteralType); is {
					word, _ := literal.Token.Value().(string)
					capabilities = append(capabilities, word)
				}
			}
		}
		lines = append(lines, Text(item.Keys[0])+": "+strings.Join(capabilities, ", "))
	}
	return lines
}
