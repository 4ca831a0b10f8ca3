package seed_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// withoutIn are the settings in the suite's seeds that a product does not have.
var withoutIn = map[string][]string{
	testbed.OpenBao: {"use_annotations_as_alias_metadata", "delegated_auth_accessors", "allowed_managed_keys"},
}

var (
	section = regexp.MustCompile(`^(auth|secrets):`)
	entry   = regexp.MustCompile(`^( *)- \{?type: ([a-z0-9-]+)`)
)

// fitting returns a seed without what the suite's server does not have: engines that are not in
// its catalog, and settings. What is left stands in the lines in which it stood.
func fitting(t *testing.T, text string) string {
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

// fittingPath says whether the suite's server may have an object of a seed.
func fittingPath(t *testing.T, path string) bool {
	t.Helper()
	facts := testbed.FactsFor(t)
	for _, engine := range []string{"aws", "github"} {
		if lacks(facts, "auth", engine) && strings.HasPrefix(path, "auth/"+engine+"/") || lacks(facts, "secret", engine) && strings.HasPrefix(path, engine+"/") {
			return false
		}
	}
	return true
}

// fittingField says whether the suite's server may show a field of an object, by its dotted name.
func fittingField(t *testing.T, path, field string) bool {
	t.Helper()
	parts := strings.Split(field, " > ")
	mounts := map[string]string{"sys/auth": "auth/", "sys/mounts": ""}
	if under, table := mounts[path]; table && !fittingPath(t, under+parts[0]) {
		return false
	}
	lacking := withoutIn[testbed.FactsFor(t).Product]
	return !slices.Contains(lacking, parts[len(parts)-1])
}

// withoutPod is what a seed says that has the server do without the files of a pod, since there is
// none: OpenBao wants Kubernetes' CA with it.
func withoutPod(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("disable_local_ca_jwt: true\n      kubernetes_ca_cert: %q", clusterCA(t))
}

// clusterCA is the certificate in the seeds of the suite.
func clusterCA(t *testing.T) string {
	t.Helper()
	ca, err := os.ReadFile(everything + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	return string(ca)
}
