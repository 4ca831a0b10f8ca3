package scaffold_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/scaffold"
)

// cookbook is where the parts are.
var cookbook = os.DirFS("../../../docs/cookbook")

// combinations returns every choice of parts.
func combinations() [][]string {
	parts := scaffold.Parts()
	all := make([][]string, 1<<len(parts))
	for i := range all {
		for bit, part := range parts {
			if i&(1<<bit) != 0 {
				all[i] = append(all[i], part.Name)
			}
		}
	}
	return all
}

// TestEveryCombinationIsValid composes every choice of parts, and finds in it every object of each of
// them, once.
func TestEveryCombinationIsValid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seed.yaml")
	objects := func(text string) []string {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		loaded, err := seed.Load([]string{file})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, warning := range loaded.Warnings() {
			t.Errorf("%s\n%s", warning, text)
		}
		var ids []string
		for _, each := range loaded.Declared() {
			ids = append(ids, string(each.ID))
		}
		slices.Sort(ids)
		return ids
	}
	of := map[string][]string{}
	for _, names := range combinations() {
		text, err := scaffold.Compose(cookbook, names)
		if err != nil {
			t.Fatalf("%v: %v", names, err)
		}
		found := objects(text)
		if len(names) < 2 {
			of[strings.Join(names, "")] = found
			continue
		}
		want := slices.Clone(of[""])
		for _, name := range names {
			want = append(want, of[name]...)
		}
		slices.Sort(want)
		if want = slices.Compact(want); !slices.Equal(found, want) {
			t.Fatalf("%v: declares %v, want %v", names, found, want)
		}
	}
	if len(of) != len(scaffold.Parts())+1 || len(of[""]) == 0 {
		t.Errorf("the parts alone declare %v", of)
	}
}

// TestText holds what a reader of the file finds in it.
func TestText(t *testing.T) {
	text, err := scaffold.Compose(cookbook, []string{"pki", "oidc"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"'vault-bootstrap init --with=oidc,pki'", "#   OIDC_CLIENT_SECRET\n", "# oidc:\n#   People log in at your OpenID Connect provider", "  # pki\n  - type: pki\n    path: pki-root\n",
		"  # A group of the provider becomes one of Vault by its alias",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
	if strings.Count(text, "\nsecrets:\n") != 1 {
		t.Errorf("a section is there twice, or not at all:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if len(line) > 140 {
			t.Errorf("a long line: %s", line)
		}
	}
}

func TestRefuses(t *testing.T) {
	if _, err := scaffold.Compose(cookbook, []string{"pki", "kpi"}); !errors.Is(err, scaffold.ErrUnknown) {
		t.Errorf("an unknown part: %v", err)
	}
	if _, err := scaffold.Compose(os.DirFS(t.TempDir()), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a cookbook: %v", err)
	}
}
