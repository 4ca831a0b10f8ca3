package seed

import (
	"slices"
	"strconv"
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

// foldsLDAP reports whether an ldap method certainly takes names in any case: its config
// decides, which is known only where it is declared.
func foldsLDAP(r record, kind string) bool {
	config := r.mapping("config")
	if kind != "ldap" || config == nil {
		return false
	}
	sensitive, declared := config["case_sensitive_names"]
	text, isScalar := scalarText(sensitive)
	truth, err := strconv.ParseBool(text)
	return !declared || isScalar && err == nil && !truth
}

// place returns what is the same for all spellings of o's ID.
func (o Object) place() ID {
	end := len(o.ID) - o.tail
	start := end - o.folded
	return o.ID[:start] + ID(strings.ToLower(string(o.ID[start:end]))) + o.ID[end:]
}

// spellings finds objects by IDs that may be spelt otherwise.
type spellings map[string]Object

func spellingsOf(objects []Object) spellings {
	all := make(spellings)
	for _, o := range objects {
		if o.folded > 0 {
			all[strings.ToLower(string(o.ID))] = o
		}
	}
	return all
}

// hold reports whether id is one of the objects to Vault.
func (s spellings) hold(id ID) bool {
	o, found := s[strings.ToLower(string(id))]
	if !found || len(id) != len(o.ID) {
		return false
	}
	return Object{ID: id, folded: o.folded, tail: o.tail}.place() == o.place()
}
