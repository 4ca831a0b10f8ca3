package prop_test

import "fmt"

// maker makes a value of a field.
type maker = func(g *generator) value

func choose(g *generator, all []string) string { return all[g.rng.IntN(len(all))] }

// texts is one of these, which a reference may stand for; names is one for which none may.
func texts(all ...string) maker { return func(g *generator) value { return proseOf(choose(g, all)) } }
func names(all ...string) maker { return func(g *generator) value { return nameOf(choose(g, all)) } }

func numbers(all ...int) maker {
	return func(g *generator) value { return numberOf(all[g.rng.IntN(len(all))]) }
}

func seconds(all ...int) maker {
	return func(g *generator) value { return secondsOf(all[g.rng.IntN(len(all))]) }
}

func truths() maker { return func(g *generator) value { return truthOf(g.rng.IntN(2) == 0) } }

func fixedTo(v value) maker { return func(*generator) value { return v } }

// loose makes a value of a field of Vault's own, which takes a text for it.
func loose(made maker) maker {
	return func(g *generator) value {
		v := made(g)
		v.loose = true
		return v
	}
}

// some is a list of some of these, in their order.
func some(all ...string) maker {
	return func(g *generator) value {
		return wordsOf(subset(g, all)...)
	}
}

// strictly is a list that Vault does not take as one text with commas.
func strictly(all ...string) maker {
	return func(g *generator) value { return listOf(some(all...)(g).items...) }
}

// someNames is one that holds no references.
func someNames(all ...string) maker {
	return func(g *generator) value { return namesOf(subset(g, all)...) }
}

func subset(g *generator, all []string) []string {
	var chosen []string
	for _, each := range all {
		if g.rng.IntN(2) == 0 {
			chosen = append(chosen, each)
		}
	}
	if len(chosen) == 0 {
		chosen = []string{choose(g, all)}
	}
	return chosen
}

// trouble is texts that YAML, or a reader in a hurry, takes for something else.
var trouble = []string{
	"plain", "two words", "true", "no", "null", "~", "0600", "1e3", "2026-01-31", "12:30:45", "a: b", "# no comment", "- a", "'quoted'", `"quoted"`, `back\slash`,
	"übung", "多", "{{template}}", "${ not a reference }", "a,b", "[x]", "{y: z}", "*star", "&and", "!bang", "%percent", "@at", "`back`", "trailing:", "line\nbreak", "end\n", "=", "<<",
}

// anyText is one of those.
func anyText(g *generator) value { return proseOf(choose(g, trouble)) }

// dictionary maps some of the names to texts.
func dictionary(keys ...string) maker {
	return func(g *generator) value {
		v := mappingOf()
		for _, key := range subset(g, keys) {
			v.fields = append(v.fields, field{key, proseOf(choose(g, []string{"one", "two", "three words", "true", "1", "x/y"}))})
		}
		return v
	}
}

// claimMappings maps claims to names of metadata, which are all different.
func claimMappings(g *generator) value {
	v := mappingOf()
	for _, claim := range subset(g, []string{"project", "branch"}) {
		v.fields = append(v.fields, field{claim, proseOf(claim + choose(g, []string{"_name", "_id"}))})
	}
	return v
}

// password is a text that nothing may show, and that no other field has.
func password(g *generator) value {
	g.passwords++
	ends := []string{"", " ", "'", `"`, ": x", " #", "ü", "$", "{{x}}"}
	return secretOf(fmt.Sprintf("hidden-%d-%d-%08x%s", g.number, g.passwords, g.rng.Uint32(), choose(g, ends)))
}

func secretText(s string) maker { return func(*generator) value { return secretOf(s) } }

func certificate(g *generator) value { return proseOf(g.material.certificate) }
func revocations(g *generator) value { return proseOf(g.material.revocations) }

// publicKey is one that nobody has the other half of.
const publicKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMT2QCrIy1TyeTg2rpWDLYfD/eRUW
Gbj0TMUtgvlwuCAoym7q27X6ray/8FEXEOQyXrCrh7XVNKHhlSd8rT9jgQ==
-----END PUBLIC KEY-----
`
