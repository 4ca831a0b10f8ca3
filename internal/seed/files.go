package seed

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

func (l *loader) directory(dir string) {
	var files []string
	for _, place := range []struct{ dir, endings string }{{dir, ".yaml .yml"}, {filepath.Join(dir, "policies"), ".hcl"}} {
		entries, err := os.ReadDir(place.dir)
		if err != nil && (place.dir == dir || !errors.Is(err, os.ErrNotExist)) {
			l.problems.Add(value.Position{File: place.dir}, "reading the seed: %s", reason(err))
			return
		}
		for _, e := range entries {
			ending := filepath.Ext(e.Name())
			// Names with a dot in front are what a mounted ConfigMap links to.
			if ending != "" && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && slices.Contains(strings.Fields(place.endings), ending) {
				files = append(files, filepath.Join(place.dir, e.Name()))
			}
		}
	}
	if len(files) == 0 {
		l.problems.Add(value.Position{File: dir}, "there is no *.yaml, *.yml or policies/*.hcl in this directory")
	}
	for _, file := range files {
		l.file(file)
	}
}

// policyFile adds the policy in an .hcl file.
func (b *builder) policyFile(name, rules string, at value.Position, problems *value.Problems) {
	if err := value.CheckWholeName(name); err != nil {
		problems.Add(at, "the file's name cannot name a policy: %s", err)
		return
	}
	b.add(object.Policy(name, rules), at, problems)
}
