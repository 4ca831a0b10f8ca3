package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/hcl/ast"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// expansion is a template in a path of a policy.
type expansion struct {
	// word is what stands between {{ and }}.
	word   string
	policy object.ID
}

// expansions returns the templates of a policy's paths.
func expansions(policy object.ID, list *ast.ObjectList) (found []expansion) {
	for _, item := range list.Items {
		if len(item.Keys) < 2 {
			continue
		}
		for _, match := range template.FindAllStringSubmatch(acl.Text(item.Keys[1]), -1) {
			found = append(found, expansion{match[1], policy})
		}
	}
	return found
}

var template = regexp.MustCompile(`\{\{\s*(.*?)\s*\}\}`)

// expanded warns about values of entities, groups and aliases that a template puts into a path, and
// that servers do not put there: a wildcard in one would widen the policy. Then the policy grants its
// holder nothing at that path. Since Vault 1.19.17, 1.20.11, 1.21.6 and 2.0.1, and OpenBao 2.6.
//
// Which policies an entity has is known only when it logs in, so those of its namespace are looked
// at.
func expanded(objects []object.Object, used map[string][]expansion) (warnings []value.Problem) {
	for _, o := range objects {
		templates := used[o.Namespace]
		if len(templates) == 0 {
			continue
		}
		values := expandable(o)
		for _, word := range slices.Sorted(maps.Keys(values)) {
			at := slices.IndexFunc(templates, func(e expansion) bool { return matches(word, e.word) })
			text, isText := values[word].(string)
			if at < 0 || !isText {
				continue
			}
			if why := notExpanded(text); why != "" {
				warnings = append(warnings, value.Problem{Position: o.Position, Text: fmt.Sprintf(
					"%s: %s puts its value %q into a path, as {{%s}}: %s", o.ID, templates[at].policy, text, templates[at].word, why)})
			}
		}
	}
	return warnings
}

// notExpanded says which servers refuse to put a value into a path; "" if none does.
func notExpanded(text string) string {
	switch {
	case strings.ContainsAny(text, "*+"):
		return "Vault 1.21.6, 2.0.1 and later and OpenBao 2.6 refuse values with * or +, and grant nothing there"
	case strings.Contains(text, "/"):
		return "OpenBao 2.6 and later refuse values with /, and grant nothing there"
	}
	return ""
}

// expandable returns the values of o that templates can name, by the template; in the place of the
// accessor of an auth method, which is not known, stands a *.
func expandable(o object.Object) map[string]any {
	values := map[string]any{}
	add := func(prefix string, metadata any) {
		fields, _ := metadata.(map[string]any)
		for name, v := range fields {
			values[prefix+name] = v
		}
	}
	switch o.Endpoint {
	case "entity":
		values["identity.entity.name"] = strings.TrimPrefix(string(o.ID), o.Namespace+"identity/entity/name/")
		add("identity.entity.metadata.", o.Data["metadata"])
	case "group":
		name := strings.TrimPrefix(string(o.ID), o.Namespace+"identity/group/name/")
		prefix := "identity.groups.names." + name + "."
		values[prefix+"name"] = name
		add(prefix+"metadata.", o.Data["metadata"])
	case "entity-alias":
		values["identity.entity.aliases.*.name"] = o.Data["name"]
		add("identity.entity.aliases.*.custom_metadata.", o.Data["custom_metadata"])
	}
	return values
}

// matches reports whether a template names the value of word.
func matches(word, template string) bool {
	before, after, aliased := strings.Cut(word, "*")
	if !aliased {
		return word == template
	}
	rest, ok := strings.CutPrefix(template, before)
	_, rest, dotted := strings.Cut(rest, ".")
	return ok && dotted && "."+rest == after
}
