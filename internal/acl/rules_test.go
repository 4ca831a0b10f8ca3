package acl_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
)

// TestAlikePathsHaveOneRule draws policies and paths, and holds that Vault would decide by
// the same rule about all paths that Alike calls alike.
func TestAlikePathsHaveOneRule(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 1))
	pairs := 0
	for range 3000 {
		var rules acl.Rules
		var drawn []string
		for range 1 + rng.IntN(8) {
			path := drawnPath(rng, true)
			drawn = append(drawn, path)
			rules.Add(fmt.Sprintf("path %q { capabilities = [\"read\"] }", path))
		}
		winners := map[string]string{}
		first := map[string]string{}
		for range 40 {
			path := drawnPath(rng, false)
			key, certain := rules.Alike(path)
			if !certain {
				t.Fatalf("%q is uncertain, of the rules %q", path, drawn)
			}
			won := decides(drawn, path)
			if before, known := winners[key]; known {
				pairs++
				if before != won {
					t.Fatalf("rules %q: %q and %q are alike, and %q decides about one and %q about the other", drawn, first[key], path, before, won)
				}
			}
			winners[key], first[key] = won, path
		}
	}
	if pairs < 10000 {
		t.Errorf("only %d pairs were alike", pairs)
	}
}

// drawnPath returns a path of few names; that of a rule may have wildcards.
func drawnPath(rng *rand.Rand, wild bool) string {
	names := []string{"a", "b", "ab", "abc"}
	parts := make([]string, 1+rng.IntN(4))
	for i := range parts {
		parts[i] = names[rng.IntN(len(names))]
		if wild && rng.IntN(4) == 0 {
			parts[i] = "+"
		}
	}
	path := strings.Join(parts, "/")
	switch end := rng.IntN(4); {
	case end == 0:
		path += "/"
	case end == 1 && wild:
		path += "/*"
	case end == 2 && wild && !strings.HasSuffix(path, "+"):
		path += "*"
	}
	return path
}

// decides returns the rule by which Vault 1.21 decides about a path, according to its documentation
// of policies: the exact one, else that whose first wildcard comes last, and so on.
func decides(rules []string, path string) string {
	bare := strings.TrimSuffix(path, "/")
	for _, exact := range []string{path, bare} {
		if slices.Contains(rules, exact) && !strings.Contains("/"+exact, "/+") {
			return exact
		}
	}
	for _, tried := range []string{bare, path} {
		var matching []string
		for _, rule := range rules {
			if (strings.HasSuffix(rule, "*") || strings.Contains("/"+rule, "/+")) && acl.Matches(rule, tried) {
				matching = append(matching, rule)
			}
		}
		if len(matching) == 0 {
			continue
		}
		return slices.MaxFunc(matching, func(a, b string) int {
			isPrefix := func(rule string) int { return strings.Count(rule, "*") }
			return cmp.Or(cmp.Compare(strings.IndexAny(a, "+*"), strings.IndexAny(b, "+*")), cmp.Compare(isPrefix(b), isPrefix(a)),
				cmp.Compare(strings.Count(b, "+"), strings.Count(a, "+")), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
	}
	return ""
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		rule, path string
		want       bool
	}{
		{"kv/data/app", "kv/data/app", true},
		{"kv/data/app", "kv/data/app/x", false},
		{"kv/data/*", "kv/data/app/x", true},
		{"kv/data/a*", "kv/data/app", true},
		{"auth/+/role/+", "auth/kubernetes/role/app", true},
		{"auth/+/role/+", "auth/kubernetes/role/app/secret-id", false},
		{"auth/+/role/+", "auth/team/k8s/role/app", false},
		{"auth/+/*", "auth/kubernetes", false},
		{"auth/+/*", "auth/kubernetes/role/app", true},
		{"auth/+/ro*", "auth/kubernetes/role/app", true},
		{"auth/+/ro*", "auth/kubernetes/config", false},
		{"+/config", "pki/config", true},
	} {
		if got := acl.Matches(c.rule, c.path); got != c.want {
			t.Errorf("Matches(%q, %q) = %t", c.rule, c.path, got)
		}
	}
}

// TestWhatIsUncertain holds that no paths count as alike if a policy cannot be parsed, or has a
// template, which Vault replaces with what only it knows.
func TestWhatIsUncertain(t *testing.T) {
	const ours = `path "auth/+/role/+" { capabilities = ["create", "update"] }`
	paths := []string{"auth/kubernetes/role/a", "auth/kubernetes/role/b", "auth/jwt/role/a", "sys/mounts"}
	for name, c := range map[string]struct {
		foreign string
		want    int
	}{
		"nothing else":      {`path "secret/*" { capabilities = ["read"] }`, 2},
		"a deny on one":     {`path "auth/kubernetes/role/b" { capabilities = ["deny"] }`, 3},
		"a template":        {`path "auth/kubernetes/role/{{identity.entity.name}}" { capabilities = ["deny"] }`, 4},
		"a template, early": {`path "{{identity.entity.name}}/*" { capabilities = ["deny"] }`, 4},
		"after a wildcard":  {`path "auth/+/role/{{identity.entity.name}}" { capabilities = ["deny"] }`, 4},
		"no policy at all":  {`path "auth`, 4},
		"JSON":              {`{"path": {"auth/kubernetes/role/b": {"capabilities": ["deny"]}}}`, 3},
		"a leading slash":   {`path "/auth/kubernetes/role/b" { capabilities = ["deny"] }`, 3},
	} {
		var rules acl.Rules
		rules.Add(ours)
		rules.Add(c.foreign)
		of, all := rules.Representatives(paths)
		if len(all) != c.want || len(of) != len(paths) {
			t.Errorf("%s: Vault would be asked about %q", name, all)
		}
	}
}
