// Package fitting makes what the suites declare and expect fit the server that they run against. It
// knows which of it a server may lack, and asks the server; it must not know what the program under
// test does about that.
package fitting

import (
	"regexp"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// withoutIn are the settings in the suites' seeds that a product does not have.
var withoutIn = map[string][]string{
	testbed.OpenBao: {"use_annotations_as_alias_metadata", "delegated_auth_accessors", "allowed_managed_keys"},
}

var (
	section = regexp.MustCompile(`^(auth|secrets):`)
	entry   = regexp.MustCompile(`^( *)- \{?type: ([a-z0-9-]+)`)
)

// Seed returns a seed without what the server does not have: engines that are not in
// its catalog, and settings. What is left stands in the lines in which it stood.
func Seed(t testbed.TB, text string) string {
	t.Helper()
	facts := testbed.FactsFor(t)
	kind, depth := "", -1
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if strings.TrimSpace(line) != "" && indent <= depth {
			depth = -1
		}
		if strings.TrimSpace(line) != "" && indent == 0 {
			kind = ""
			if found := section.FindStringSubmatch(line); found != nil {
				kind = strings.TrimSuffix(found[1], "s") // auth, secret
			}
		}
		if found := entry.FindStringSubmatch(line); found != nil && depth < 0 && kind != "" && lacks(facts, kind, found[2]) {
			depth = len(found[1])
		}
		if depth >= 0 {
			lines[i] = ""
		}
	}
	text = strings.Join(lines, "\n")
	for _, setting := range withoutIn[facts.Product] {
		// On a line of its own, or the last one in braces.
		text = regexp.MustCompile(`(?m)^ +`+setting+`:.*$|, `+setting+`: \[[^]]*\]`).ReplaceAllString(text, "")
	}
	return text
}

// lacks says whether the catalog has no such engine. Some types are names for others, or there
// without being in a catalog.
func lacks(facts testbed.Facts, kind, name string) bool {
	switch name {
	case "kv-v1", "kv-v2", "token", "database":
		return false
	}
	return !facts.BuiltIn(kind, name)
}

// Path says whether the server may have an object of a seed.
func Path(t testbed.TB, path string) bool {
	t.Helper()
	facts := testbed.FactsFor(t)
	for _, engine := range []string{"aws", "github"} {
		if lacks(facts, "auth", engine) && strings.HasPrefix(path, "auth/"+engine+"/") || lacks(facts, "secret", engine) && strings.HasPrefix(path, engine+"/") {
			return false
		}
	}
	return true
}

// Field says whether the server may show a field of an object, by its dotted name.
func Field(t testbed.TB, path, field string) bool {
	t.Helper()
	parts := strings.Split(field, " > ")
	mounts := map[string]string{"sys/auth": "auth/", "sys/mounts": ""}
	if under, table := mounts[path]; table && !Path(t, under+parts[0]) {
		return false
	}
	lacking := withoutIn[testbed.FactsFor(t).Product]
	return !slices.Contains(lacking, parts[len(parts)-1])
}
