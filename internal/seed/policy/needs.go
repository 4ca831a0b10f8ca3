package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Grant is a path of Vault's API and what a token may do there.
type Grant struct {
	Path         string
	Capabilities []string
}

// capabilityOrder is the order in which capabilities are written.
var capabilityOrder = []string{"create", "read", "update", "patch", "delete", "list", "sudo", "deny"}

// Needs returns exactly what reading, planning and applying objects needs, by concrete path,
// sorted: sys/capabilities-self can be asked about each of them.
//
// Vault 1.21 requires sudo at sys/audit, sys/audit/* and sys/auth/*, even for reading. The listings
// sys/auth and sys/mounts and all of sys/mounts/* need none. Endpoints of sys do not distinguish
// create from update: they need update alone.
//
// prune adds what deleting the same objects needs.
func Needs(objects []object.Object, prune bool) []Grant {
	set := grantSet{}
	set.add("auth/token/lookup-self", "read")
	set.add("auth/token/revoke-self", "update")
	set.add("sys/capabilities-self", "update")
	for _, o := range objects {
		id := string(o.ID)
		listing, _ := o.Table()
		switch strings.TrimPrefix(listing, o.Namespace) {
		case "sys/audit":
			set.add(listing, "read", "sudo")
			set.add(id, "update", "sudo")
		case "sys/auth":
			set.add(listing, "read")
			set.add(id, "update", "sudo")
			set.add(id+"/tune", "update", "sudo")
		case "sys/mounts":
			set.add(listing, "read")
			set.add(id, "update")
			set.add(id+"/tune", "update")
		default:
			set.document(o)
		}
		if prune && o.Owned() {
			set.deletion(o)
		}
		set.references(o)
	}
	return set.sorted()
}

// grantSet collects capabilities by path.
type grantSet map[string]map[string]bool

func (s grantSet) add(path string, capabilities ...string) {
	if s[path] == nil {
		s[path] = map[string]bool{}
	}
	for _, c := range capabilities {
		s[path][c] = true
	}
}

// document adds what an object with its own path needs.
func (s grantSet) document(o object.Object) {
	if o.Mount != "" {
		listing, _, _ := strings.Cut(strings.TrimPrefix(string(o.Mount), o.Namespace+"sys/"), "/")
		s.add(o.Namespace+"sys/"+listing, "read")
	}
	if around := value.TrimPath(o.Namespace); o.Stage == object.StageNamespaces && around != "" {
		s.add(string(object.NamespaceID(around)), "read")
	}
	read, _, _ := strings.Cut(o.ReadPath(), "?")
	path := strings.TrimPrefix(o.WritePath(), o.Namespace)
	switch {
	case o.IsRequest():
		s.request(o)
		return
	case strings.HasPrefix(path, "sys/"), strings.HasPrefix(path, "identity/"):
		s.add(read, "read")
		s.add(o.WritePath(), "update")
		if needsSudo(path) {
			s.add(read, "sudo")
			s.add(o.WritePath(), "sudo")
		}
		return
	}
	s.add(read, "read")
	s.add(o.WritePath(), "create", "update")
	if o.Traits.Split != nil {
		s.add(o.Traits.Split.Update, "create", "update")
	}
	if o.Traits.Rotate != "" {
		s.add(o.Traits.Rotate, "create", "update")
	}
	s.keeping(o)
}

// keeping adds what keeping Vault's answer needs.
func (s grantSet) keeping(o object.Object) {
	if to := o.Traits.SaveTo; to != nil {
		s.add(o.Namespace+"sys/mounts", "read")
		s.add(to.Path, "create", "update")
	}
}

// needsSudo reports whether Vault 1.21 requires sudo at a path of sys, other than those of audit
// devices and auth methods.
func needsSudo(path string) bool {
	return path == "sys/config/cors" || strings.HasPrefix(path, "sys/config/ui/headers/") || strings.HasPrefix(path, "sys/plugins/catalog/")
}

// request adds what sending a request needs.
func (s grantSet) request(o object.Object) {
	if unless := o.Traits.Unless.Path; unless != "" {
		s.add(o.Namespace+unless, "read")
	}
	if o.Traits.Deletes {
		s.add(o.WritePath(), "delete")
		return
	}
	s.add(o.WritePath(), "create", "update")
	if needsSudo(strings.TrimPrefix(o.Traits.Write, o.Namespace)) {
		s.add(o.WritePath(), "sudo")
	}
	s.keeping(o)
}

// deletion adds what deleting o needs.
func (s grantSet) deletion(o object.Object) {
	if _, isAlias := object.ParseAlias(o.ID); isAlias {
		s.add(o.WritePath()+"/id/+", "delete")
		return
	}
	s.add(o.WritePath(), "delete")
	listing, _ := o.Table()
	if path := strings.TrimPrefix(o.WritePath(), o.Namespace); needsSudo(path) || listing == o.Namespace+"sys/audit" || listing == o.Namespace+"sys/auth" {
		s.add(o.WritePath(), "sudo")
	}
}

// references adds what resolving the references in o needs.
func (s grantSet) references(o object.Object) {
	visit := func(p value.Part, _ value.Position) {
		switch p.Call {
		case value.CallAccessor:
			s.add(o.Namespace+"sys/auth", "read")
			s.add(o.Namespace+"sys/mounts", "read")
		case value.CallEntity, value.CallGroup:
			s.add(o.Namespace+"identity/"+p.Call+"/name/"+p.Args[0], "read")
		case value.CallVault:
			s.add(o.Namespace+p.Args[0], "read")
		}
	}
	value.EachPart(o.Data, visit)
	value.EachPart(o.Traits.Extra, visit)
	value.EachGenerator(o.Data, func(g value.Generator) {
		if g.Policy != "" {
			s.add(o.Namespace+"sys/policies/password/"+g.Policy, "read")
			s.add(o.Namespace+"sys/policies/password/"+g.Policy+"/generate", "read")
		}
	})
}

// sorted returns the grants by path, capabilities in their usual order.
func (s grantSet) sorted() []Grant {
	grants := make([]Grant, 0, len(s))
	for path, set := range s {
		g := Grant{Path: path}
		for _, c := range capabilityOrder {
			if set[c] {
				g.Capabilities = append(g.Capabilities, c)
			}
		}
		grants = append(grants, g)
	}
	slices.SortFunc(grants, func(a, b Grant) int { return cmp.Compare(a.Path, b.Path) })
	return grants
}
