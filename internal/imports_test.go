// Package internal_test holds rules that are about all packages together.
package internal_test

import (
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

// rooms are packages that are cut further, each with those of ours, the leaves aside, that
// it imports: these edges there are, and no others. The tests of internal/seed, which take
// a seed from its text to Vault, stand beside it.
var rooms = map[string][]string{
	"internal/seed":           {"internal/seed/lang", "internal/seed/object", "internal/seed/policy", "internal/seed/value"},
	"internal/seed/lang":      {"internal/seed/value"},
	"internal/seed/object":    {"internal/seed/value"},
	"internal/seed/policy":    {"internal/seed/object", "internal/seed/value"},
	"internal/seed/reconcile": {"internal/seed/object", "internal/seed/value"},
	"internal/seed/value":     {},
	seedTests: {
		"internal/seed", "internal/seed/lang", "internal/seed/object", "internal/seed/policy", "internal/seed/reconcile", "internal/seed/value",
	},
}

const seedTests = "internal/seed_test"

// room returns the name under which a file's imports are judged.
func room(folder, file string) string {
	if folder == "internal/seed" && strings.HasSuffix(file, "_test.go") {
		return seedTests
	}
	return folder
}

// allowed says what a package may import of ours, by the first folder it is in.
func allowed(from, to string) bool {
	for _, leaf := range leaves {
		if to == leaf {
			return !isLeaf(from)
		}
	}
	switch {
	case rooms[from] != nil:
		return slices.Contains(rooms[from], to)
	case to == base:
		return strings.HasPrefix(from, "internal/")
	case strings.HasPrefix(from, "cmd/"):
		return true
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
// internal/*, and the packages of internal never each other, the leaves aside.
func TestImportsPointDown(t *testing.T) {
	seen := 0
	imports(t, func(folder, file, path string) {
		to, ours := strings.CutPrefix(path, module)
		if !ours || to == folder {
			return
		}
		seen++
		if !allowed(room(folder, file), to) {
			t.Errorf("%s imports %s", file, to)
		}
	})
	if seen == 0 {
		t.Error("no import was seen: the test looks in the wrong place")
	}
}

// TestRoomsAreAsDeclared holds that each edge between rooms is still needed.
func TestRoomsAreAsDeclared(t *testing.T) {
	used := map[string]bool{}
	imports(t, func(folder, file, path string) {
		if to, ours := strings.CutPrefix(path, module); ours {
			used[room(folder, file)+" → "+to] = true
		}
	})
	for from, all := range rooms {
		for _, to := range all {
			if !used[from+" → "+to] {
				t.Errorf("%s does not import %s any more: take it out of rooms", from, to)
			}
		}
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

// TestOnlyCmdReadsTheEnvironment keeps flags and variables at the top.
func TestOnlyCmdReadsTheEnvironment(t *testing.T) {
	imports(t, func(folder, file, path string) {
		if strings.HasPrefix(folder, "cmd/") || strings.HasSuffix(file, "_test.go") {
			return
		}
		switch path {
		case "github.com/spf13/cobra", "github.com/spf13/pflag", "flag", "os/signal":
			t.Errorf("%s imports %s", file, path)
		}
	})
}

// TestImportRule shows that the rule can be broken.
func TestImportRule(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{"cmd/vault-bootstrap", "internal/store", true},
		{"states", "fsm", true}, {"states", "internal/vault", true}, {"states", "cmd/vault-bootstrap", false},
		{"fsm", "internal/fault", true}, {"fsm", "states", false}, {"fsm", "internal/vault", false},
		{"internal/seed", "internal/secret", true}, {"internal/seed", "internal/vault", false},
		{"internal/seed", "internal/seed/lang", true}, {"internal/seed", "internal/seed/reconcile", false},
		{"internal/seed/reconcile", "internal/seed/object", true}, {"internal/seed/reconcile", "internal/seed", false},
		{"internal/seed/lang", "internal/seed/object", false}, {"internal/seed/object", "internal/acl", true},
		{"internal/seed/policy", "internal/seed/reconcile", false}, {"internal/seed/value", "internal/seed/object", false},
		{"internal/seed/value", "internal/fault", true}, {"internal/seed_test", "internal/seed/reconcile", true},
		{"internal/store/storetest", "internal/store", true}, {"internal/store", "fsm", false},
		{"internal/secret", "internal/fault", false},
	} {
		if got := allowed(test.from, test.to); got != test.want {
			t.Errorf("allowed(%q, %q) = %v", test.from, test.to, got)
		}
	}
}
