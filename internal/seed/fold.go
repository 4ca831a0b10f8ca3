package seed

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
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
// decides, which is known only where it is declared as such.
func foldsLDAP(r lang.Record) bool {
	config := r.Mapping("config")
	if config == nil {
		return false
	}
	sensitive, declared := config["case_sensitive_names"]
	text, isScalar := value.ScalarText(sensitive)
	truth, err := strconv.ParseBool(text)
	return !declared || isScalar && err == nil && !truth
}

// place returns what is the same for all spellings of o's ID.
func (o Object) place() ID {
	if o.folded == 0 {
		return o.ID.canonical()
	}
	end := len(o.ID) - o.tail
	start := end - o.folded
	return o.ID[:start] + ID(strings.ToLower(string(o.ID[start:end]))) + o.ID[end:]
}

// spellings finds objects by IDs that may be spelt otherwise: by what is the same for all.
type spellings map[string][]Object

func spellingsOf(objects []Object) spellings {
	all := make(spellings)
	for _, o := range objects {
		// What may be one to Vault is left alone.
		if o.folded = max(o.folded, o.mayFold); o.folded > 0 || o.ID.isPlugin() {
			key := strings.ToLower(string(o.place()))
			all[key] = append(all[key], o)
		}
	}
	return all
}

// hold reports whether id is one of the objects to Vault.
func (s spellings) hold(id ID) bool {
	return slices.ContainsFunc(s[strings.ToLower(string(id.canonical()))], func(o Object) bool {
		if o.folded > 0 && len(id) != len(o.ID) {
			return false
		}
		return Object{ID: id, folded: o.folded, tail: o.tail}.place() == o.place()
	})
}
