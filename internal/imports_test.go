// Package internal_test holds rules about all packages together.
package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/vault-bootstrap/vault-bootstrap/"

// leaves may be imported by every package; they import none of ours.
var leaves = []string{"internal/acl", "internal/durable", "internal/fault", "internal/httpstatus", "internal/point", "internal/product", "internal/secret"}

// base is the client of the Kubernetes API, which the packages in internal share: it does not know
// what objects mean to us, and only they may import it.
const base = "internal/kube"

// belowStates is what states and the packages in it may import besides internal/*.
var belowStates = map[string][]string{
	"states":          {"fsm", "states/ceremony", "states/cluster", "states/login"},
	"states/ceremony": {"fsm", "states/cluster"},
	"states/cluster":  {"fsm"},
	"states/login":    nil,
}

// command is the program; the packages below it are its own.
const command = "cmd/vault-bootstrap"

// parts says which of the others, and whether states, each package of the command may import.
// All of them may import what is below states, and none of them the command.
var parts = map[string][]string{
	"doctor":  {"job", "report", "states"},
	"explain": nil,
	"help":    nil,
	"input":   {"states"},
	"pace":    nil,
	"report":  nil,
	"job":     {"states"},
	"wait":    {"job", "pace"},
	"walk":    {"job", "report", "states"},
	"watch":   {"job", "pace", "report", "states", "walk"},
}

// rooms are packages that are divided further, each with the packages of ours that it imports,
// except leaves. There are exactly these edges. The tests of internal/seed, which take a seed from
// its text to Vault, are listed separately.
var rooms = map[string][]string{
	"internal/seed":           {"internal/seed/fields", "internal/seed/lang", "internal/seed/names", "internal/seed/object", "internal/seed/policy", "internal/seed/value"},
	"internal/seed/fields":    {"internal/seed/object", "internal/seed/value"},
	"internal/seed/lang":      {"internal/seed/value"},
	"internal/seed/names":     {"internal/seed/object", "internal/seed/value"},
	"internal/seed/object":    {"internal/seed/value"},
	"internal/seed/policy":    {"internal/seed/object", "internal/seed/value"},
	"internal/seed/reconcile": {"internal/seed/object", "internal/seed/value"},
	"internal/seed/selfinit":  {"internal/seed/object", "internal/seed/value"},
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
	case to == base, to == base+"/kubetest":
		return strings.HasPrefix(from, "internal/")
	case from == command:
		return true
	case strings.HasPrefix(from, command+"/internal/"):
		return allowedPart(strings.TrimPrefix(from, command+"/internal/"), to)
	case from == "states" || strings.HasPrefix(from, "states/"):
		return strings.HasPrefix(to, "internal/") || slices.Contains(belowStates[from], to)
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
// internal/*, the packages in states as belowStates says, those of the command as parts says,
// and the packages of internal never each other, the leaves aside.
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

// variableRead returns the function of package os with which a file reads variables, "" if there is
// none.
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

// within says what the packages below one of internal may import of each other, except in tests.
// Packages that are not listed may import none.
var within = map[string][]string{
	"internal/store/wire":      {"internal/store"},
	"internal/store/sealed":    {"internal/store", "internal/store/wire"},
	"internal/store/fencing":   {"internal/store", "internal/store/wire"},
	"internal/store/filestore": {"internal/store", "internal/store/sealed", "internal/store/wire"},
	"internal/store/kubestore": {"internal/store", "internal/store/sealed", "internal/store/wire"},
	"internal/store/storetest": {"internal/store", "internal/store/fencing", "internal/store/sealed", "internal/store/wire"},

	"internal/keyring/agekey":      {"internal/keyring"},
	"internal/keyring/awskms":      {"internal/keyring"},
	"internal/keyring/azurekv":     {"internal/keyring", "internal/keyring/rest"},
	"internal/keyring/gcpkms":      {"internal/keyring", "internal/keyring/rest"},
	"internal/keyring/kmsplugin":   {"internal/keyring"},
	"internal/keyring/transit":     {"internal/keyring"},
	"internal/keyring/keyringtest": {"internal/keyring"},
	"internal/keyring/recipients": {
		"internal/keyring", "internal/keyring/agekey", "internal/keyring/awskms", "internal/keyring/azurekv",
		"internal/keyring/gcpkms", "internal/keyring/kmsplugin", "internal/keyring/transit",
	},
}

// allowedWithin says whether a package may import another one of the same room.
func allowedWithin(room, from, to string) bool {
	below := func(path string) bool { return path == room || strings.HasPrefix(path, room+"/") }
	return !below(from) || !below(to) || slices.Contains(within[from], to)
}

// TestRoomsAreLayered holds the packages of the records to their order: what a record
// is, its text, and those who keep and write it. Recipients of the keys do not know each other, so
// that the client of one service is not linked for the sake of another.
func TestRoomsAreLayered(t *testing.T) {
	imports(t, func(folder, file, path string) {
		to, ours := strings.CutPrefix(path, module)
		for _, room := range []string{"internal/store", "internal/keyring"} {
			if ours && to != folder && !strings.HasSuffix(file, "_test.go") && !allowedWithin(room, folder, to) {
				t.Errorf("%s imports %s", file, to)
			}
		}
	})
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{"internal/store/kubestore", "internal/store/wire", true},
		{"internal/store/kubestore", "internal/store/filestore", false},
		{"internal/store/kubestore", "internal/store/fencing", false},
		{"internal/store", "internal/store/wire", false},
		{"internal/store/wire", "internal/store/fencing", false},
		{"cmd/vault-bootstrap", "internal/store/wire", true}, // not in this room
		{"internal/keyring/gcpkms", "internal/keyring/rest", true},
		{"internal/keyring/gcpkms", "internal/keyring/awskms", false},
		{"internal/keyring", "internal/keyring/recipients", false},
	} {
		room := "internal/store"
		if strings.HasPrefix(test.from, "internal/keyring") {
			room = "internal/keyring"
		}
		if got := allowedWithin(room, test.from, test.to); got != test.want {
			t.Errorf("allowedWithin(%q, %q) = %v", test.from, test.to, got)
		}
	}
}

// implementation finds a cast to one store, or a case of a type switch.
var implementation = regexp.MustCompile(`(\.\(|case .*)\*(filestore|kubestore)\.Store\b`)

// TestNoStoreIsAskedForItsType requires an interface for what only one store can do: a cast would
// silently ignore another store that can do it as well.
func TestNoStoreIsAskedForItsType(t *testing.T) {
	for _, bad := range []string{"in, ok := records.(*kubestore.Store)", "case *filestore.Store:", "case nil, *kubestore.Store:"} {
		if !implementation.MatchString(bad) {
			t.Errorf("%q is not found", bad)
		}
	}
	for _, root := range []string{"../cmd", "../states", "."} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || path == "imports_test.go" {
				return err
			}
			source, err := os.ReadFile(path)
			if found := implementation.Find(source); found != nil {
				t.Errorf("%s: %s", path, found)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
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
		{"states", "states/cluster", true}, {"states/cluster", "fsm", true}, {"states/cluster", "states", false}, {"states", "states/login", true}, {"states/login", "fsm", false}, {"states/login", "states/cluster", false}, {"states/ceremony", "states/cluster", true}, {"states/ceremony", "states/login", false}, {"states/ceremony", "states", false}, {"states/unknown", "fsm", false},
		{"fsm", "internal/fault", true}, {"fsm", "states/cluster", false}, {"fsm", "states", false}, {"fsm", "internal/vault", false},
		{"internal/seed", "internal/secret", true}, {"internal/seed", "internal/vault", false},
		{"internal/seed", "internal/seed/lang", true}, {"internal/seed", "internal/seed/reconcile", false},
		{"internal/seed/reconcile", "internal/seed/object", true}, {"internal/seed/reconcile", "internal/seed", false},
		{"internal/seed/fields", "internal/seed/object", true}, {"internal/seed/names", "internal/seed/fields", false}, {"internal/seed/fields", "internal/seed/reconcile", false},
		{"internal/seed/lang", "internal/seed/object", false}, {"internal/seed/object", "internal/acl", true},
		{"internal/seed/policy", "internal/seed/reconcile", false}, {"internal/seed/value", "internal/seed/object", false},
		{"internal/seed/value", "internal/fault", true}, {"internal/seed_test", "internal/seed/reconcile", true},
		{"internal/store/storetest", "internal/store", true}, {"internal/store", "fsm", false},
		{"internal/secret", "internal/fault", false},
		{"internal/store/kubestore", "internal/kube/kubetest", true}, {"states", "internal/kube/kubetest", false},
		{"internal/seed", "internal/httpstatus", true}, {"internal/httpstatus", "internal/vault", false},
		{"internal/spool", "internal/durable", true}, {"internal/durable", "internal/fault", false},
	} {
		if got := allowed(test.from, test.to); got != test.want {
			t.Errorf("allowed(%q, %q) = %v", test.from, test.to, got)
		}
	}
}
