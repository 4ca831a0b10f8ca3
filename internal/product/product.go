// Package product knows the programs that speak Vault's API: HashiCorp Vault and OpenBao. It says
// which one a server is, what its version means, and in what the two differ: names of endpoints,
// words of answers, abilities.
//
// It asks no server and must not know how to: others hand it answers. Both products have a major
// version 2, so that the number alone says nothing, and what a server shows of itself decides.
package product

// Kind is which program a server runs.
type Kind string

// The kinds. Unknown is a server of which it cannot be said.
const (
	Unknown Kind = ""
	Vault   Kind = "Vault"
	OpenBao Kind = "OpenBao"
)

// Product is what a server runs. The zero value is a server of which nothing is known: it has what
// Vault 1 has and nothing that came later, and no version of it counts as maintained.
type Product struct {
	Kind    Kind
	Version Version
}

// String returns the name and the version, such as 'OpenBao 2.6.2'. It is 'Vault or OpenBao 2.1.0'
// where the product is unknown, and empty where nothing is known.
func (p Product) String() string {
	switch {
	case p == Product{}:
		return ""
	case p.Version.String() == "":
		return p.Name()
	default:
		return p.Name() + " " + p.Version.String()
	}
}

// Name returns what to call the product in a sentence.
func (p Product) Name() string {
	if p.Kind == Unknown {
		return "Vault or OpenBao"
	}
	return string(p.Kind)
}

// is reports whether it is this kind, of the version since or later. since is one that parses.
func (p Product) is(kind Kind, since string) bool {
	least, ok := ParseVersion(since)
	return ok && p.Kind == kind && p.Version.known && p.Version.Compare(least) >= 0
}
