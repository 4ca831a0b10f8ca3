package seed_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
)

// FuzzLoad holds that no text makes Load panic, and that every problem it reports
// has a place.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	for _, text := range []string{"", "---", "a: &a [*a]", "<<: {policies: []}", "policies: [{name: a, rules: '${ env \"A\" }'}]", "\t", "? [a]\n: b", bomb(), "!!set {a}", "%YAML 1.1\n---\n"} {
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "seed.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		put(t, path, text)
		s, err := seed.Load([]string{path})
		if err == nil {
			s.Digest()
			if _, err = s.Objects(context.Background(), env(nil)); err == nil {
				return
			}
		}
		var problems *seed.Problems
		if !errors.As(err, &problems) || len(problems.List) == 0 {
			t.Fatalf("no problems in %v", err)
		}
		for _, p := range problems.List {
			if p.Position.File != path {
				t.Errorf("no place: %v", p)
			}
		}
	})
}
