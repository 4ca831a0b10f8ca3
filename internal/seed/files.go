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
	for _, source := range []struct{ dir, endings string }{{dir, ".yaml .yml"}, {filepath.Join(dir, "policies"), ".hcl"}} {
		entries, err := os.ReadDir(source.dir)
		if err != nil && (source.dir == dir || !errors.Is(err, os.ErrNotExist)) {
			l.problems.Add(value.Position{File: source.dir}, "reading the seed: %s", reason(err))
			return
		}
		for _, e := range entries {
			ending := filepath.Ext(e.Name())
			// Names with a leading dot are what a mounted ConfigMap links to.
			if ending != "" && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && slices.Contains(strings.Fields(source.endings), ending) {
				files = append(files, filepath.Join(source.dir, e.Name()))
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
