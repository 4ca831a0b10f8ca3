package object

import (
	"slices"
	"strings"
)

// foldedNames are the auth methods that take names in any letter case, and where. Vault
// 1.21 tells those of all others apart, as it does tokens' roles and all that lives below
// secrets engines.
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

// folds reports whether names at segment below an auth method are taken in any case.
func folds(kind, segment string) bool {
	method, isAuth := strings.CutPrefix(kind, "auth/")
	return isAuth && slices.Contains(foldedNames[method], segment)
}

// Spellings finds objects by IDs that may be spelt otherwise: by what is the same for all.
type Spellings map[string][]Object

// SpellingsOf returns the spellings of objects.
func SpellingsOf(objects []Object) Spellings {
	all := make(Spellings)
	for _, o := range objects {
		// What may be one to Vault is left alone.
		if o.Folded = max(o.Folded, o.MayFold); o.Folded > 0 || o.ID.IsPlugin() {
			key := strings.ToLower(string(o.CanonicalID()))
			all[key] = append(all[key], o)
		}
	}
	return all
}

// Hold reports whether id is one of the objects to Vault.
func (s Spellings) Hold(id ID) bool {
	return slices.ContainsFunc(s[strings.ToLower(string(id.canonical()))], func(o Object) bool {
		if o.Folded > 0 && len(id) != len(o.ID) {
			return false
		}
		return Object{ID: id, Folded: o.Folded, tail: o.tail}.CanonicalID() == o.CanonicalID()
	})
}
