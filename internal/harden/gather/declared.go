package gather

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

// mountFields are the settings of a mount that controls judge.
func mountFields() []string {
	var fields []string
	for _, control := range []string{"mount-lease-ttl", "listed-mounts", "user-lockout"} {
		fields = append(fields, harden.JudgedFields(control).Fields...)
	}
	return fields
}

// asDeclared returns those of the fields that the seed declares of the object at a path, if Vault
// shows it as declared.
func (g *gatherer) asDeclared(path string, shown map[string]any, fields []string) harden.AsDeclared {
	if g.declared == nil {
		return nil
	}
	object, there := g.declared.At(path)
	if !there || !object.Same(shown) {
		return nil
	}
	var found harden.AsDeclared
	for _, field := range fields {
		if object.Has(field) {
			found = append(found, field)
		}
	}
	return found
}

// openAsDeclared is asDeclared for a role that is open to everybody, if the seed says that it is: a
// role that binds nothing may do so by mistake.
func (g *gatherer) openAsDeclared(path string, shown map[string]any) harden.AsDeclared {
	fields := harden.JudgedFields("role-bindings").Fields
	found := g.asDeclared(path, shown, fields)
	if len(found) == 0 {
		return nil
	}
	object, _ := g.declared.At(path)
	ofOthers := func(field string) bool { return !object.Has(field) && isSet(shown[field]) }
	if !saysOpen(object.Data) || slices.ContainsFunc(fields, ofOthers) {
		return nil
	}
	return found
}

// isSet reports whether a field of a role holds anything.
func isSet(value any) bool {
	switch value := value.(type) {
	case []any:
		return len(value) > 0
	case map[string]any:
		return len(value) > 0
	}
	return text(value) != ""
}

// saysOpen reports whether a role is said to be for everybody.
func saysOpen(role map[string]any) bool {
	if bound, there := role["bind_secret_id"]; there && !truth(bound) {
		return true
	}
	everybody := func(bound []string) bool {
		return slices.ContainsFunc(bound, func(name string) bool { return name == "*" || strings.HasPrefix(name, "arn:aws:iam::*") })
	}
	for _, field := range harden.JudgedFields("role-bindings").Fields {
		bound := slices.Collect(maps.Values(mapping(role[field]))) // of claims, by their names
		if everybody(words(role[field])) || slices.ContainsFunc(bound, func(claim any) bool { return everybody(words(claim)) }) {
			return true
		}
	}
	return false
}

// Declared returns what the controls would judge if Vault held what the seed declares, and nothing
// else. A role that binds nothing without saying so is left out.
func Declared(declared harden.Declarations) harden.Facts {
	root, spaces := &harden.Facts{}, map[string]*harden.Facts{}
	for object := range declared.All() {
		facts := root
		if object.Namespace != "" {
			if facts = spaces[object.Namespace]; facts == nil {
				facts = &harden.Facts{}
				spaces[object.Namespace] = facts
			}
		}
		enter(facts, object)
	}
	complete(root, declared)
	for _, path := range slices.Sorted(maps.Keys(spaces)) {
		complete(spaces[path], harden.Below(declared, path))
		root.Inner = append(root.Inner, harden.Inner{Path: path, Facts: *spaces[path]})
	}
	return *root
}

// enter adds an object to facts.
func enter(facts *harden.Facts, object harden.Declaration) {
	name := func(prefix string) (string, bool) { return strings.CutPrefix(object.Path, prefix) }
	if path, ok := name("sys/audit/"); ok {
		facts.Audit = also(facts.Audit, auditDevice(path, object.Data))
	} else if path, ok := name("sys/auth/"); ok {
		facts.Auth = also(facts.Auth, declaredMount(path, object))
	} else if path, ok := name("sys/mounts/"); ok {
		facts.Secrets = also(facts.Secrets, declaredMount(path, object))
	} else if path, ok := name("sys/policies/acl/"); ok {
		facts.Policies = also(facts.Policies, harden.ParsePolicy(path, text(object.Data["policy"])))
	} else if path, ok := name("sys/policies/password/"); ok {
		if object.Data["policy"] != nil { // of a reference nothing is known
			facts.Passwords = also(facts.Passwords, passwordPolicy(path, object.Data))
		}
	} else if path, ok := name("sys/config/ui/headers/"); ok {
		if values := list(object.Data["values"]); len(values) > 0 && values[0] != nil {
			facts.Headers = also(facts.Headers, harden.Header{Name: http.CanonicalHeaderKey(path), Value: text(values[0])})
		}
	} else if object.Path == "sys/config/cors" {
		facts.CORS = harden.Known(harden.CORS{Enabled: true, Origins: words(object.Data["allowed_origins"])})
	} else if kind, ok := roleKinds()[object.Type]; ok && saysOpen(object.Data) {
		path, _ := name("auth/")
		facts.Roles = also(facts.Roles, harden.Role{Path: path, Open: kind.open(object.Data)})
	}
}

// declaredMount decodes a mount of the seed, in which the settings of user lockout have other names
// than where Vault shows them.
func declaredMount(path string, object harden.Declaration) harden.Mount {
	found := mount(path, object.Data)
	found.NoLockout = truth(mapping(mapping(object.Data["config"])["user_lockout_config"])["lockout_disable"])
	return found
}

func also[T any](fact harden.Fact[[]T], item T) harden.Fact[[]T] {
	items, _ := fact.Get()
	return harden.Known(append(items, item))
}

// complete makes known that there is nothing where nothing is declared.
func complete(facts *harden.Facts, declared harden.Declarations) {
	facts.Declared = declared
	fill(&facts.Audit)
	fill(&facts.Auth)
	fill(&facts.Secrets)
	fill(&facts.Passwords)
	fill(&facts.Headers)
	fill(&facts.Roles)
	if _, known := facts.CORS.Get(); !known {
		facts.CORS = harden.Known(harden.CORS{})
	}
	policies, _ := facts.Policies.Get()
	if !slices.ContainsFunc(policies, func(p harden.Policy) bool { return p.Name == "default" }) { // Vault ships it
		policies = append(policies, harden.Policy{Name: "default"})
	}
	facts.Policies = harden.Known(policies)
}

func fill[T any](fact *harden.Fact[[]T]) {
	if _, known := fact.Get(); !known {
		*fact = harden.Known([]T{})
	}
}
