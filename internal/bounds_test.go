package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The limits that keep a package, a file and a type small enough to be read at once. They do not
// apply to tests and to the module of the suites.
const (
	maxFiles   = 32  // of a package
	maxLines   = 300 // of a file
	maxFields  = 15  // of a struct, those of embedded structs counted
	maxMethods = 25  // of a type, those of embedded types counted
)

// tables are files that are longer because each is one table.
var tables = map[string]bool{"internal/seed/lang/table.go": true}

// larger are types over the bounds. docs/decisions/0058 says why of each.
var larger = map[string]bool{
	"cmd/vault-bootstrap.program":        true,
	"internal/harden.Facts":              true,
	"internal/harden.Result":             true,
	"internal/harden/report.controlJSON": true,
	"internal/store/filestore.Store":     true,
	"internal/store/kubestore.Store":     true,
	"internal/store/kubestore.leases":    true,
	"internal/store/kubestore.pieces":    true,
	"internal/store/kubestore.secrets":   true,
	"internal/store/wire.Checkpoint":     true,
}

// declared is what the source says of a type.
type declared struct {
	fields, methods int
	embedded        []string // as 'folder.Name', of ours only
}

// TestNothingGrowsTooLarge enforces the bounds.
func TestNothingGrowsTooLarge(t *testing.T) {
	files, types := map[string]int{}, map[string]*declared{}
	each(t, func(folder, path string, content []byte, file *ast.File) {
		files[folder]++
		if lines := strings.Count(string(content), "\n"); lines > maxLines && !tables[folder+"/"+filepath.Base(path)] {
			t.Errorf("%s has %d lines, at most %d", path, lines, maxLines)
		}
		read(types, folder, file)
	})
	for folder, n := range files {
		if n > maxFiles {
			t.Errorf("%s has %d files, at most %d", folder, n, maxFiles)
		}
	}
	seen := map[string]bool{}
	for name := range types {
		fields, methods := total(types, name)
		if fields <= maxFields && methods <= maxMethods {
			continue
		}
		seen[name] = true
		if !larger[name] {
			t.Errorf("%s has %d fields and %d methods, at most %d and %d", name, fields, methods, maxFields, maxMethods)
		}
	}
	for name := range larger {
		if !seen[name] {
			t.Errorf("%s is no longer over the bounds: remove it from the list and from the decision", name)
		}
	}
	reasons, err := os.ReadFile("../docs/decisions/0058-types-over-the-bounds.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range larger {
		if !strings.Contains(string(reasons), "`"+name[strings.LastIndex(name, "/")+1:]+"`") {
			t.Errorf("the decision says nothing of %s", name)
		}
	}
}

// each visits the files of the module that are not tests.
func each(t *testing.T, visit func(folder, path string, content []byte, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "test" || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && entry.Name() != "..") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, content, 0)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel("..", filepath.Dir(path))
		visit(filepath.ToSlash(folder), path, content, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read adds the types and methods of a file to types.
func read(types map[string]*declared, folder string, file *ast.File) {
	of := func(name string) *declared {
		name = folder + "." + name
		if types[name] == nil {
			types[name] = &declared{}
		}
		return types[name]
	}
	packages := map[string]string{}
	for _, spec := range file.Imports {
		if path, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module); ours {
			name := path[strings.LastIndex(path, "/")+1:]
			if spec.Name != nil {
				name = spec.Name.Name
			}
			packages[name] = path
		}
	}
	embed := func(t *declared, expression ast.Expr) {
		if star, ok := expression.(*ast.StarExpr); ok {
			expression = star.X
		}
		switch e := expression.(type) {
		case *ast.Ident:
			t.embedded = append(t.embedded, folder+"."+e.Name)
		case *ast.SelectorExpr:
			if in, ok := e.X.(*ast.Ident); ok && packages[in.Name] != "" {
				t.embedded = append(t.embedded, packages[in.Name]+"."+e.Sel.Name)
			}
		}
	}
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Recv != nil {
				of(receiver(d.Recv.List[0].Type)).methods++
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				s, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				t := of(s.Name.Name)
				switch u := s.Type.(type) {
				case *ast.StructType:
					for _, field := range u.Fields.List {
						t.fields += len(field.Names)
						if len(field.Names) == 0 {
							embed(t, field.Type)
						}
					}
				case *ast.InterfaceType:
					for _, method := range u.Methods.List {
						t.methods += len(method.Names)
						if len(method.Names) == 0 {
							embed(t, method.Type)
						}
					}
				}
			}
		}
	}
}

// receiver returns the name of a receiver's type.
func receiver(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// total includes what is embedded.
func total(types map[string]*declared, name string) (fields, methods int) {
	t := types[name]
	if t == nil {
		return 0, 0
	}
	fields, methods = t.fields, t.methods
	for _, inner := range t.embedded {
		f, m := total(types, inner)
		fields, methods = fields+f, methods+m
	}
	return fields, methods
}
