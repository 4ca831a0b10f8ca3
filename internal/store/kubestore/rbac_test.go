package kubestore

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// roleRule is a rule of a Role.
type roleRule struct {
	APIGroups     []string `yaml:"apiGroups"`
	Resources     []string `yaml:"resources"`
	ResourceNames []string `yaml:"resourceNames"`
	Verbs         []string `yaml:"verbs"`
}

func inRole(r kube.Rule) roleRule {
	rule := roleRule{APIGroups: []string{r.Group}, Resources: []string{r.Resource}, Verbs: r.Verbs}
	if r.Name != "" {
		rule.ResourceNames = []string{r.Name}
	}
	return rule
}

func TestManifestHasTheRulesThatAreNeededAndNoOther(t *testing.T) {
	content, err := os.ReadFile("../../../manifests/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var shipped []roleRule
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document struct {
			Kind  string     `yaml:"kind"`
			Rules []roleRule `yaml:"rules"`
		}
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		shipped = append(shipped, document.Rules...)
	}
	var needed []roleRule
	for _, rule := range Rules("vault-bootstrap") {
		needed = append(needed, inRole(rule))
	}
	if !reflect.DeepEqual(shipped, needed) {
		t.Errorf("manifests/rbac.yaml has %+v, the store needs %+v", shipped, needed)
	}
}

func TestRemedyIsARoleRule(t *testing.T) {
	in := kube.Namespace{Name: "ns", Rules: Rules("x")}
	remedy := in.GrantRemedy([]kube.Access{{Verb: "patch", Resource: "secrets", Name: "x-keys"}, {Verb: "get", Resource: "secrets", Name: "x-keys"}, {Verb: "update", Resource: "leases", Name: "x"}})
	_, text, found := strings.Cut(remedy, ":\n")
	if !found {
		t.Fatalf("no YAML in %q", remedy)
	}
	var rules []roleRule
	if err := yaml.Unmarshal([]byte(text), &rules); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	want := []roleRule{
		{[]string{""}, []string{"secrets"}, []string{"x-keys"}, []string{"get", "patch"}},
		{[]string{"coordination.k8s.io"}, []string{"leases"}, []string{"x"}, []string{"update"}},
	}
	if !reflect.DeepEqual(rules, want) {
		t.Errorf("the remedy has the rules %+v, want %+v", rules, want)
	}
}
