package object

import (
	"slices"
	"strings"
)

// foldedNames are the auth methods that ignore the case of names, and the segments where they do.
// In Vault 1.21 the names of all others are case-sensitive, as are tokens' roles and everything
// below secrets engines.
var foldedNames = map[string][]string{
	"approle":    {"role"},
	"aws":        {"role"},
	"azure":      {"role"},
	"cert":       {"certs", "crls"},
	"gcp":        {"role"},
	"github":     {"map/teams", "map/users"},
	"kubernetes": {"role"},
	"okta":       {"groups"},
	"userpass":   {"users"},
}

// folds reports whether the case of names at segment below an auth method is ignored.
func folds(kind, segment string) bool {
	method, isAuth := strings.CutPrefix(kind, "auth/")
	return isAuth && slices.Contains(foldedNames[method], segment)
}

// Spellings finds objects by IDs that may be spelt differently.
type Spellings map[string][]Object

// SpellingsOf returns the spellings of objects.
func SpellingsOf(objects []Object) Spellings {
	all := make(Spellings)
	for _, o := range objects {
		// Objects that may be the same to Vault are left alone.
		if o.Folded = max(o.Folded, o.MayFold); o.Folded > 0 || o.ID.IsPlugin() {
			key := strings.ToLower(string(o.CanonicalID()))
			all[key] = append(all[key], o)
		}
	}
	return all
}

// Hold reports whether Vault takes id for one of the objects.
func (s Spellings) Hold(id ID) bool {
	return slices.ContainsFunc(s[strings.ToLower(string(id.canonical()))], func(o Object) bool {
		if o.Folded > 0 && len(id) != len(o.ID) {
			return false
		}
		return Object{ID: id, Folded: o.Folded, tail: o.tail}.CanonicalID() == o.CanonicalID()
	})
}
