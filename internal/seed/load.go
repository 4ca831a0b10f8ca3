package seed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// sizeLimit bounds all files of a seed together, in bytes.
const sizeLimit = 10 << 20

// Seed is a parsed declaration. References in it are not resolved.
type Seed struct {
	objects  []object.Object
	prune    object.Prune
	warnings []value.Problem
	harden   Harden
	login    declaredLogin
}

// Load reads the seed in paths: YAML files, policies in .hcl files, and directories
// of *.yaml, *.yml and policies/*.hcl, each in the order of their names. A policy in
// an .hcl file is named after the file.
//
// All that is wrong is told at once, in one fault of kind fault.Seed whose cause is
// *Problems.
func Load(paths []string) (*Seed, error) {
	l := &loader{problems: &value.Problems{}, left: sizeLimit}
	for _, path := range paths {
		l.path(path)
	}
	l.builder.finish(l.problems)
	l.builder.prune.check(l.builder.objects, l.problems)
	if err := l.problems.Err("Correct the seed at the places given. Nothing was sent to Vault."); err != nil {
		return nil, err
	}
	s := &Seed{objects: l.builder.objects, prune: l.builder.prune.Prune, harden: l.builder.harden, login: l.builder.login, warnings: l.builder.warnings}
	warnings, err := policy.Check(s.objects)
	s.warnings = append(s.warnings, warnings...)
	return s, err
}

// loader reads files one after another.
type loader struct {
	problems *value.Problems
	builder  builder
	left     int64
}

// path reads a file or directory that the user named.
func (l *loader) path(path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		l.problems.Add(value.Position{File: path}, "reading the seed: %s", reason(err))
	case info.IsDir():
		l.directory(path)
	default:
		l.file(path)
	}
}

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

func (l *loader) file(path string) {
	content, err := readFile(path, l.left)
	if err != nil {
		if l.left < sizeLimit || strings.Contains(err.Error(), "larger") {
			err = fmt.Errorf("%w (a seed has at most %d MiB)", err, sizeLimit>>20)
		}
		l.problems.Add(value.Position{File: path}, "reading the seed: %s", err)
		return
	}
	l.left -= int64(len(content))
	if !utf8.Valid(content) {
		l.problems.Add(value.Position{File: path}, "the file is not UTF-8 text")
		return
	}
	if name, isPolicy := strings.CutSuffix(filepath.Base(path), ".hcl"); isPolicy {
		l.builder.policyFile(name, string(content), value.Position{File: path, Line: 1, Column: 1}, l.problems)
		return
	}
	if root, ok := lang.Parse(path, content, l.problems); ok {
		l.builder.build(lang.Read(root, l.problems), l.problems)
	}
}

// Warnings returns what Vault would take and is probably not meant, in the order of
// the seed.
func (s *Seed) Warnings() []value.Problem { return slices.Clone(s.warnings) }

// Declared returns the declared objects with references as they are written: for
// what needs the objects' places only, such as the policy.
func (s *Seed) Declared() []object.Object { return slices.Clone(s.objects) }
