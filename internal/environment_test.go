package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOneFileKnowsTheEnvironment holds that only main.go reads or changes the environment of
// the process. The crash points of test builds read the one variable that is theirs.
func TestOneFileKnowsTheEnvironment(t *testing.T) {
	knows := []string{"../cmd/vault-bootstrap/main.go", "../internal/point/on.go"}
	functions := []string{"Getenv", "LookupEnv", "Environ", "Setenv", "Unsetenv", "ExpandEnv", "Clearenv"}
	seen := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != ".." && (entry.Name() == "test" || strings.HasPrefix(entry.Name(), ".")) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			call, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if name, ok := call.X.(*ast.Ident); ok && name.Name == "os" && slices.Contains(functions, call.Sel.Name) {
				seen++
				if !slices.Contains(knows, filepath.ToSlash(path)) {
					t.Errorf("%s calls os.%s: take it from main", path, call.Sel.Name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Error("main does not read the environment: the test looks in the wrong place")
	}
}
