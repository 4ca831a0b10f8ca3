package policy

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/token"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// builtinPolicies are the built-in ACL policies of Vault 1.21, which cannot be written.
var builtinPolicies = []string{"root", "response-wrapping", "control-group"}

// Check parses the policies that hold no reference, with Vault's own grammar. The warnings name
// what Vault would accept but is probably not meant; the error names what it would refuse.
func Check(objects []object.Object) (warnings []value.Problem, err error) {
	problems := &value.Problems{}
	engines := map[string]bool{}
	for _, o := range objects {
		if o.IsMount() && o.Type == "kv" && object.IsVersion2(o) {
			engines[o.Namespace+strings.TrimPrefix(string(o.ID), o.Namespace+"sys/mounts/")+"/"] = true
		}
	}
	var checks []*policyCheck
	for _, o := range objects {
		switch o.Stage {
		case object.StagePasswords:
			warnings = append(warnings, checkPassword(o, problems)...)
		case object.StagePolicies:
			checks = append(checks, &policyCheck{policy: o, engines: engines, problems: &value.Problems{}})
		}
	}
	// Parsing is most of the work of reading a seed with many policies.
	var group sync.WaitGroup
	for some := range slices.Chunk(checks, 1+len(checks)/runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for _, c := range some {
				c.checkName()
				if rules, isText := c.policy.Data["policy"].(string); isText {
					c.run(rules)
				}
			}
		})
	}
	group.Wait()
	used := map[string][]expansion{}
	for _, c := range checks {
		if len(c.problems.List) > 0 {
			problems.Join(c.problems)
		}
		warnings = append(warnings, c.warnings...)
		if len(c.expansions) > 0 {
			used[c.policy.Namespace] = append(used[c.policy.Namespace], c.expansions...)
		}
	}
	if len(used) > 0 {
		warnings = append(warnings, expanded(objects, used)...)
	}
	return warnings, problems.Err("Correct the policy. Nothing was sent to Vault.")
}

// CheckResolved parses the policies that held references.
func CheckResolved(objects []object.Object) error {
	problems := &value.Problems{}
	for _, o := range objects {
		if value.Pending(o.Data) || !value.Hidden(o.Data) {
			continue
		}
		rules, _ := value.Reveal(o.Data["policy"]).(string)
		// The problem is not quoted: it may contain what a reference resolved to.
		if o.Stage == object.StagePolicies && refusedPolicy(o, rules) || o.Stage == object.StagePasswords && new(passwordCheck).run(rules) != nil {
			problems.Add(o.Position, "%s: it is not a valid policy once its references are resolved", o.ID)
		}
	}
	return problems.Err("Correct the policy, or what it refers to. Nothing was sent to Vault.")
}

func refusedPolicy(o object.Object, rules string) bool {
	c := policyCheck{policy: o, problems: &value.Problems{}}
	c.run(rules)
	return len(c.problems.List) > 0
}

// policyCheck finds what Vault refuses in a policy, and what has no effect.
type policyCheck struct {
	policy object.Object
	// engines holds the KV engines of version 2, by namespace and path, with a trailing slash.
	engines map[string]bool
	// expansions are the templates in its paths.
	expansions []expansion
	warnings   []value.Problem
	problems   *value.Problems
}

func (c *policyCheck) warn(line int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.warnings = append(c.warnings, value.Problem{Position: c.policy.Position, Text: fmt.Sprintf("%s%s: %s", c.policy.ID, onLine(line), text)})
}

// checkName reports a policy that cannot be written.
func (c *policyCheck) checkName() {
	switch name := strings.TrimPrefix(string(c.policy.ID), c.policy.Namespace+"sys/policies/acl/"); {
	case slices.Contains(builtinPolicies, name):
		c.problems.Add(c.policy.Position, "%s: this policy is built into Vault and cannot be written; use another name", c.policy.ID)
	case name == "default-ceiling":
		c.warn(0, "Vault 2.0 and later have a policy of their own by this name: use another one")
	}
}

func (c *policyCheck) run(rules string) {
	list, err := parseRules(rules)
	if err != nil {
		c.problems.Add(c.policy.Position, "%s: %s", c.policy.ID, err)
		return
	}
	if strings.Contains(rules, "{{") {
		c.expansions = expansions(c.policy.ID, list)
	}
	seen := map[string]bool{}
	for _, item := range list.Items {
		line, name := item.Pos().Line, acl.Text(item.Keys[0])
		switch {
		case name == "name":
			continue
		case name != "path":
			c.refuse(line, "Vault does not recognize the block %q: a policy has path blocks", name)
			continue
		case len(item.Keys) < 2:
			c.refuse(line, "a path block needs a path")
			continue
		}
		path := acl.Text(item.Keys[1])
		if seen[path] {
			c.warn(line, "duplicate path %q; Vault merges the two", path)
		}
		seen[path] = true
		c.path(path, line)
		c.segments(path, line)
		c.templates(path, line)
		c.block(path, item)
		if !plain(item) {
			c.rules(path, item)
		}
	}
}

// address is how a URL begins.
var address = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// path warns about paths that no request can have.
func (c *policyCheck) path(path string, line int) {
	bare := strings.TrimPrefix(path, "/")
	first, _, _ := strings.Cut(bare, "/")
	switch {
	case strings.Contains(path, "+*"):
		c.refuse(line, "the path %q has +*, which Vault forbids: + stands for one name, and * at the end for anything", path)
	case address.MatchString(path):
		c.warn(line, "the path %q can never match: give only the part of the URL after v1/", path)
	case first == "v1":
		c.warn(line, "the path %q can never match: paths in policies have no v1/", path)
	case strings.Contains(strings.TrimSuffix(path, "*"), "*"):
		c.warn(line, "the path %q can never match: * is a wildcard only at the end; + stands for one name", path)
	case slices.ContainsFunc(strings.Split(strings.TrimSuffix(path, "*"), "/"), func(s string) bool { return s != "+" && strings.Contains(s, "+") && !strings.Contains(s, "{{") }):
		c.warn(line, "the path %q can never match: + stands for a whole name", path)
	}
	for i, char := range bare {
		// A policy's paths start in its own namespace, and may lead into those below.
		if char != '/' || !c.engines[c.policy.Namespace+bare[:i+1]] {
			continue
		}
		root, rest := bare[:i+1], bare[i+1:]
		next, _, deeper := strings.Cut(rest, "/")
		known := []string{"data", "metadata", "delete", "undelete", "destroy", "subkeys", "config", "+"}
		if rest != "" && rest != "*" && !slices.Contains(known, strings.TrimSuffix(next, "*")) && !strings.HasSuffix(next, "*") && (deeper || next != "config") {
			c.warn(line, "the path %q can never match: %s is a kv engine of version 2, whose values are at %sdata/…", path, strings.TrimSuffix(root, "/"), root)
		}
	}
}

// replaced matches what Vault 1.21 replaces between {{ and }}.
var replaced = regexp.MustCompile(`^(identity\.entity\.(id|name|metadata\..+|aliases\.[^.]+\.(id|name|(custom_)?metadata\..+))` +
	`|identity\.groups\.(ids|names)\.[^.]+\.(id|name|metadata\..+)|time\.now(\.(plus|minus)\..+)?)$`)

// templates reports templates that Vault does not replace.
func (c *policyCheck) templates(path string, line int) {
	for i, piece := range strings.Split(path, "{{") {
		inner, after, closed := strings.Cut(piece, "}}")
		if closed != (i > 0) || strings.Contains(after, "}}") {
			c.refuse(line, "the path %q has {{ without }}, or }} without {{", path)
			return
		}
		if word := strings.TrimSpace(inner); closed && !replaced.MatchString(word) {
			c.warn(line, "the path %q can never match: Vault does not replace {{%s}}%s", path, word,
				value.Suggestion(word, []string{"identity.entity.id", "identity.entity.name"}))
		}
	}
}

// plain reports whether a path block holds only capabilities, as strings: most do, and then nothing
// in it can be of the wrong type.
func plain(item *ast.ObjectItem) bool {
	body, ok := item.Val.(*ast.ObjectType)
	if !ok {
		return false
	}
	for _, field := range body.List.Items {
		list, isList := field.Val.(*ast.ListType)
		if !isList || acl.Text(field.Keys[0]) != "capabilities" || slices.ContainsFunc(list.List, func(node ast.Node) bool {
			literal, isLiteral := node.(*ast.LiteralType)
			return !isLiteral || literal.Token.Type != token.STRING
		}) {
			return false
		}
	}
	return true
}

// segments warns about paths with parts that servers refuse in requests: since Vault 1.21.5 and
// OpenBao 2.5.3, and earlier ones answer with a redirect.
func (c *policyCheck) segments(path string, line int) {
	if address.MatchString(path) { // warned about already
		return
	}
	bare := strings.TrimPrefix(path, "/")
	parts := strings.Split(bare, "/")
	for i, part := range parts {
		if part == "." || part == ".." || part == "" && i < len(parts)-1 {
			c.warn(line, "the path %q can never match: Vault takes no request whose path has //, . or .. in it", path)
			return
		}
	}
}
