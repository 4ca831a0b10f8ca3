package harden

import (
	"iter"
	"math"
	"slices"
	"strings"
)

// Declarations are what a seed declares, as far as controls need to know it. Paths are those of the API,
// in the namespace that is judged.
type Declarations interface {
	// At returns the object at a path.
	At(path string) (Declaration, bool)
	// Requests returns the requests that write to a path.
	Requests(path string) []Declaration
	// All returns every object.
	All() iter.Seq[Declaration]
}

// Declaration is an object, or a request, of the seed.
type Declaration struct {
	// Namespace is the namespace that it is in, without slashes at its ends.
	Namespace string
	// Path is its path in the namespace, and Type the type of the mount that it is or is below.
	Path, Type string
	// Position is its position in the seed: FILE:LINE:COLUMN.
	Position string
	// Data are its fields as Vault takes them. A reference, which only a run resolves, is nil.
	Data map[string]any
	// Same reports whether Vault shows the object as the seed declares it.
	Same func(shown map[string]any) bool
}

// Has reports whether a field is declared, whatever its value. The name is dotted where the field is
// in a mapping.
func (d Declaration) Has(field string) bool {
	_, there := d.lookup(field)
	return there
}

// field returns the value of a field; nil if it is not declared, or by a reference.
func (d Declaration) field(name string) any {
	value, _ := d.lookup(name)
	return value
}

func (d Declaration) lookup(field string) (value any, there bool) {
	fields := d.Data
	for {
		outer, inner, nested := strings.Cut(field, ".")
		value, there = fields[outer]
		if !nested || !there {
			return value, there
		}
		fields, _ = value.(map[string]any)
		field = inner
	}
}

// below is what is declared in an inner namespace.
type below struct {
	Declarations
	prefix string // with a trailing slash
}

// Below returns what is declared in an inner namespace, given its path; nil if nothing is declared
// at all.
func Below(declared Declarations, namespace string) Declarations {
	if declared == nil {
		return nil
	}
	return below{declared, namespace + "/"}
}

func (b below) At(path string) (Declaration, bool) { return b.Declarations.At(b.prefix + path) }
func (b below) Requests(path string) []Declaration { return b.Declarations.Requests(b.prefix + path) }
func (f Facts) declaration(path string) (Declaration, bool) {
	if f.Declared == nil {
		return Declaration{}, false
	}
	return f.Declared.At(path)
}

// AsDeclared names those of the judged fields of something that the seed declares. It is empty
// unless Vault shows the whole object as the seed declares it.
type AsDeclared []string

// has reports whether a field is among them.
func (d AsDeclared) has(field string) bool { return slices.Contains(d, field) }

// Waiver is something that a control blames and that the seed declares so.
type Waiver struct {
	// Object is its name as the control has it; empty if the control names none.
	Object string
	// Position is where the seed declares it.
	Position string
}

// undeclared returns the facts without what the seed declares: what is still to blame then is not
// the seed's.
func (f Facts) undeclared() Facts {
	f.Audit = eachOf(f.Audit, func(d AuditDevice) AuditDevice {
		d.Raw = d.Raw && !d.Declared.has("options.log_raw")
		return d
	})
	f.Auth, f.Secrets = eachOf(f.Auth, Mount.undeclared), eachOf(f.Secrets, Mount.undeclared)
	f.Policies = eachOf(f.Policies, func(p Policy) Policy {
		if p.Declared.has("policy") {
			p.Rules = nil
		}
		return p
	})
	f.Passwords = eachOf(f.Passwords, func(p PasswordPolicy) PasswordPolicy {
		if p.Declared.has("policy") {
			p.Length = math.MaxInt
		}
		return p
	})
	f.Roles = eachOf(f.Roles, func(r Role) Role {
		if len(r.Declared) > 0 {
			r.Open = ""
		}
		return r
	})
	if headers, known := f.Headers.Get(); known {
		f.Headers = Known(slices.DeleteFunc(slices.Clone(headers), func(h Header) bool { return h.Declared.has("values") }))
	}
	if cors, known := f.CORS.Get(); known && cors.Declared.has("allowed_origins") {
		f.CORS = Known(CORS{})
	}
	return f
}

func (m Mount) undeclared() Mount {
	if m.Declared.has("config.max_lease_ttl") {
		m.MaxTTL = 0
	}
	if m.Declared.has("config.default_lease_ttl") {
		m.DefaultTTL = 0
	}
	m.Listed = m.Listed && !m.Declared.has("config.listing_visibility")
	m.NoLockout = m.NoLockout && !m.Declared.has("config.user_lockout_config.lockout_disable")
	return m
}

// eachOf returns a fact with every item changed.
func eachOf[T any](fact Fact[[]T], change func(T) T) Fact[[]T] {
	items, known := fact.Get()
	if !known {
		return fact
	}
	changed := make([]T, len(items))
	for i, item := range items {
		changed[i] = change(item)
	}
	return Known(changed)
}

// waivers returns those of what a finding blames that the seed declares so.
func (c Control) waivers(facts Facts, limits Limits, finding Finding) []Waiver {
	judged := judgedFields()[c.ID]
	if finding.Status != Fails || facts.Declared == nil || len(judged.Fields) == 0 {
		return nil
	}
	rest := c.Check(facts.undeclared(), limits)
	objects := finding.Objects
	if len(objects) == 0 && rest.Status == Holds {
		objects = []string{""}
	}
	var found []Waiver
	for _, object := range objects {
		if slices.Contains(rest.Objects, object) {
			continue
		}
		if declared, there := facts.declaration(judged.at(object)); there {
			found = append(found, Waiver{object, declared.Position})
		}
	}
	return found
}

// spares returns a call of a fix without the fields that the seed declares; false if nothing is
// left of it.
func (f Facts) spares(call Call) (Call, bool) {
	if f.Declared == nil {
		return call, true
	}
	path, prefix := strings.TrimSuffix(call.Path, "/tune"), ""
	if path != call.Path {
		prefix = "config."
	}
	if strings.HasPrefix(path, uiHeaders) { // whose names have no case
		path = strings.ToLower(path)
	}
	object, declared := f.Declared.At(path)
	requests := f.Declared.Requests(call.Path)
	if call.Delete {
		return call, !declared && len(requests) == 0
	}
	if len(call.Data) == 0 { // it changes no field that a seed could declare
		return call, true
	}
	data := map[string]any{}
	for name, value := range call.Data {
		field := name
		if inner, nested := value.(map[string]any); nested {
			for key := range inner { // no fix has more than one
				field += "." + key
			}
		}
		requested := slices.ContainsFunc(requests, func(request Declaration) bool { return request.Has(field) })
		if !requested && (!declared || !object.Has(prefix+field)) {
			data[name] = value
		}
	}
	call.Data = data
	return call, len(data) > 0
}
