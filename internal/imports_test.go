// Package internal_test holds rules that are about all packages together.
package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/vault-bootstrap/vault-bootstrap/"

// leaves may be imported by every package; they import none of ours.
var leaves = []string{"internal/acl", "internal/fault", "internal/point", "internal/secret"}

// base is the client of the Kubernetes API, which the packages in internal share: it
// knows no meaning of ours, and only they know it.
const base = "internal/kube"

// command is the program; the packages below it are its own.
const command = "cmd/vault-bootstrap"

// parts says which of the others, and whether states, each package of the command may import.
// All of them may import what is below states, and none of them the command.
var parts = map[string][]string{
	"input":  {"states"},
	"pace":   nil,
	"report": nil,
	"job":    {"states"},
	"wait":   {"job", "pace"},
	"walk":   {"job", "report", "states"},
	"watch":  {"job", "pace", "report", "states", "walk"},
}

// allowed says what a package may import of ours, by the first folder it is in.
func allowed(from, to string) bool {
	for _, leaf := range leaves {
		if to == leaf {
			return !isLeaf(from)
		}
	}
	switch {
	case to == base:
		return strings.HasPrefix(from, "internal/")
	case from == command:
		return true
	case strings.HasPrefix(from, command+"/internal/"):
		return allowedPart(strings.TrimPrefix(from, command+"/internal/"), to)
	case from == "states":
		return to == "fsm" || strings.HasPrefix(to, "internal/")
	case from == "fsm":
		return false
	case strings.HasPrefix(from, "internal/"):
		// A package and what is below it are one.
		return strings.HasPrefix(to, strings.Join(strings.Split(from, "/")[:2], "/"))
	}
	return false
}

// allowedPart says what a package of the command may import.
func allowedPart(part, to string) bool {
	below, known := parts[part]
	other, ofCommand := strings.CutPrefix(to, command+"/internal/")
	if above, _, _ := strings.Cut(to, "/"); above == "states" { // with what is below it
		other = above
	}
	return slices.Contains(below, other) || known && !ofCommand && (to == "fsm" || strings.HasPrefix(to, "internal/"))
}

func isLeaf(path string) bool {
	for _, leaf := range leaves {
		if path == leaf {
			return true
		}
	}
	return false
}

// imports returns the imports of every Go file below the module's root: folder →
// file → imports.
func imports(t *testing.T, visit func(folder, file, path string)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "test" || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && entry.Name() != "..") {
			return filepath.SkipDir // 'test' is a module of its own
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel("..", filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			visit(filepath.ToSlash(folder), path, imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestImportsPointDown enforces the rule: cmd → states → fsm, cmd → states →
// internal/*, and the packages of internal never each other, the leaves aside. Those of the
// command import each other as parts says.
func TestImportsPointDown(t *testing.T) {
	seen := 0
	imports(t, func(folder, file, path string) {
		to, ours := strings.CutPrefix(path, module)
		if !ours || to == folder {
			return
		}
		seen++
		if !allowed(folder, to) {
			t.Errorf("%s imports %s", file, to)
		}
	})
	if seen == 0 {
		t.Error("no import was seen: the test looks in the wrong place")
	}
}

// TestOneFileKnowsLooplab keeps the library behind one file.
func TestOneFileKnowsLooplab(t *testing.T) {
	files := map[string]bool{}
	imports(t, func(_, file, path string) {
		if path == "github.com/looplab/fsm" {
			files[file] = true
		}
	})
	if len(files) != 1 {
		t.Errorf("looplab/fsm is imported by %v", files)
	}
}

// TestOnlyCmdReadsTheEnvironment keeps flags, variables and signals at the top: not even the
// packages of the command know them.
func TestOnlyCmdReadsTheEnvironment(t *testing.T) {
	imports(t, func(folder, file, path string) {
		if folder == command || strings.HasSuffix(file, "_test.go") {
			return
		}
		switch path {
		case "github.com/spf13/cobra", "github.com/spf13/pflag", "flag", "os/signal":
			t.Errorf("%s imports %s", file, path)
		case "os":
			if name := variableRead(t, file); name != "" && folder != "internal/point" { // which is for tests
				t.Errorf("%s calls os.%s", file, name)
			}
		}
	})
}

// variableRead returns by which function of package os a file reads variables, "" if by none.
func variableRead(t *testing.T, path string) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	ast.Inspect(file, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		from, ok := selector.X.(*ast.Ident)
		if ok && from.Name == "os" && slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, selector.Sel.Name) {
			found = selector.Sel.Name
		}
		return true
	})
	return found
}

// TestImportRule shows that the rule can be broken.
func TestImportRule(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{"cmd/vault-bootstrap", "internal/store", true}, {"cmd/vault-bootstrap", "cmd/vault-bootstrap/internal/report", true},
		{"cmd/vault-bootstrap/internal/report", "internal/harden", true}, {"cmd/vault-bootstrap/internal/report", "states", false},
		{"cmd/vault-bootstrap/internal/job", "states", true}, {"cmd/vault-bootstrap/internal/job", "states/login", true}, {"cmd/vault-bootstrap/internal/wait", "states/login", false}, {"cmd/vault-bootstrap/internal/job", "cmd/vault-bootstrap/internal/report", false},
		{"cmd/vault-bootstrap/internal/walk", "cmd/vault-bootstrap/internal/job", true}, {"cmd/vault-bootstrap/internal/job", "cmd/vault-bootstrap/internal/walk", false},
		{"cmd/vault-bootstrap/internal/watch", "cmd/vault-bootstrap/internal/walk", true}, {"cmd/vault-bootstrap/internal/walk", "cmd/vault-bootstrap/internal/watch", false},
		{"cmd/vault-bootstrap/internal/input", "internal/shares", true}, {"cmd/vault-bootstrap/internal/input", "cmd/vault-bootstrap/internal/job", false},
		{"cmd/vault-bootstrap/internal/wait", "cmd/vault-bootstrap/internal/pace", true}, {"cmd/vault-bootstrap/internal/wait", "states", false},
		{"cmd/vault-bootstrap/internal/report", "cmd/vault-bootstrap", false}, {"cmd/vault-bootstrap/internal/unknown", "fsm", false},
		{"states", "cmd/vault-bootstrap/internal/report", false},
		{"states", "fsm", true}, {"states", "internal/vault", true}, {"states", "cmd/vault-bootstrap", false},
		{"fsm", "internal/fault", true}, {"fsm", "states", false}, {"fsm", "internal/vault", false},
		{"internal/seed", "internal/secret", true}, {"internal/seed", "internal/vault", false},
		{"internal/store/storetest", "internal/store", true}, {"internal/store", "fsm", false},
		{"internal/secret", "internal/fault", false},
	} {
		if got := allowed(test.from, test.to); got != test.want {
			t.Errorf("allowed(%q, %q) = %v", test.from, test.to, got)
		}
	}
}
