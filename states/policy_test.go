package states

import (
	"cmp"
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// grantForm is a path in our own policy and what may be done there.
var grantForm = regexp.MustCompile(`path "([^"]+)" \{\n  capabilities = \[([^\]]*)\]`)

// TestOwnPolicyGrantsEveryNeed checks that, of all paths in our own policy, the one that Vault
// applies grants what the seed and the controls need: only the closest one counts, so a grant for
// the controls can override one for the seed.
func TestOwnPolicyGrantsEveryNeed(t *testing.T) {
	seeds, err := filepath.Glob("../docs/cookbook/*.yaml")
	if err != nil || len(seeds) == 0 {
		t.Fatalf("no seeds: %v", err)
	}
	for _, path := range append(seeds, "../test/seed/testdata/everything", "../test/seed/testdata/externalconfig", "../internal/seed/testdata/example.yaml") {
		for _, prune := range []bool{false, true} {
			desired := desiredOf(t, login.Kubernetes{Mount: "vb-kubernetes", RoleName: "vb"}, Declaration{Objects: objectsOf(t, path), Prune: object.Prune{Owned: prune}})
			granted := map[string][]string{}
			for _, match := range grantForm.FindAllStringSubmatch(desired.PolicyText(true), -1) {
				granted[match[1]] = strings.Split(strings.ReplaceAll(match[2], `"`, ""), ", ")
			}
			for _, need := range desired.needs(store.Checkpoint{}) {
				closest := closestTo(need.Path, granted)
				for _, capability := range need.Capabilities {
					if !slices.Contains(granted[closest], capability) {
						t.Errorf("%s (prune: %v): %s of %s is needed, and %q grants %v", path, prune, capability, need.Path, closest, granted[closest])
					}
				}
			}
		}
	}
}

func objectsOf(t *testing.T, path string) []object.Object {
	t.Helper()
	loaded, err := seed.Load([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	answer := func(context.Context, string) (map[string][]byte, error) {
		return map[string][]byte{"password": []byte("x"), "pin": []byte("x"), "pem": []byte("x")}, nil
	}
	objects, err := loaded.Objects(t.Context(), seed.Resolver{Env: func(string) (string, bool) { return "x", true }, Secret: answer, ConfigMap: answer})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// closestTo returns the path of a policy that Vault applies, as its documentation of policies ranks
// them: the path itself, else the pattern whose first wildcard is furthest, that does not end in *,
// has the fewest +, is the longest, and comes last.
func closestTo(path string, granted map[string][]string) (closest string) {
	if _, ok := granted[path]; ok {
		return path
	}
	ends := func(pattern string) int {
		if strings.HasSuffix(pattern, "*") {
			return 0
		}
		return 1
	}
	better := func(a, b string) int {
		return cmp.Or(
			cmp.Compare(strings.IndexAny(a, "+*"), strings.IndexAny(b, "+*")), cmp.Compare(ends(a), ends(b)),
			cmp.Compare(strings.Count(b, "+"), strings.Count(a, "+")), cmp.Compare(len(a), len(b)), cmp.Compare(a, b),
		)
	}
	for pattern := range granted {
		form := strings.NewReplacer(`\+`, `[^/]+`, `\*`, `.*`).Replace(regexp.QuoteMeta(pattern))
		if !strings.ContainsAny(pattern, "+*") || !regexp.MustCompile("^"+form+"$").MatchString(path) {
			continue
		}
		if closest == "" || better(pattern, closest) > 0 {
			closest = pattern
		}
	}
	return closest
}
