package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pointsIn returns the names of the points at which the program can be stopped, from
// its source, so that a new one is covered by itself.
func pointsIn(root string) ([]string, error) {
	states, err := statesIn(filepath.Join(root, "fsm", "state.go"))
	if err != nil {
		return nil, fmt.Errorf("looking for the states: %w", err)
	}
	var points []string
	for _, dir := range []string{"cmd", "states", "internal", "fsm"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			found, err := pointsInFile(path, states)
			points = append(points, found...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("looking for points: %w", err)
		}
	}
	slices.Sort(points)
	return slices.DeleteFunc(slices.Compact(points), elsewhere), nil
}

// elsewhere reports whether a run comes to a point only with what this suite has not, so
// that test/e2e kills there: starting over from lost keys takes a StatefulSet, and a token that a
// person gives takes a Vault whose keys are not ours.
func elsewhere(point string) bool {
	return strings.HasPrefix(point, "reset.") || strings.HasPrefix(point, "given.")
}

func pointsInFile(path string, states []string) ([]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		return nil, err
	}
	var points []string
	ast.Inspect(file, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok || !isReach(call) {
			return true
		}
		names, ok := namesOf(call.Args[0], states)
		if !ok {
			err = fmt.Errorf("%s: the point has no name that this suite understands", set.Position(call.Pos()))
		}
		points = append(points, names...)
		return true
	})
	return points, err
}

func isReach(call *ast.CallExpr) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Reach" || len(call.Args) != 1 {
		return false
	}
	pkg, ok := selector.X.(*ast.Ident)
	return ok && pkg.Name == "point"
}

// namesOf understands a constant, and a constant followed by the name of a state.
func namesOf(argument ast.Expr, states []string) ([]string, bool) {
	switch argument := argument.(type) {
	case *ast.BasicLit:
		name, err := strconv.Unquote(argument.Value)
		return []string{name}, err == nil
	case *ast.BinaryExpr:
		prefix, ok := namesOf(argument.X, states)
		if !ok {
			return nil, false
		}
		var names []string
		for _, state := range states {
			names = append(names, prefix[0]+state)
		}
		return names, true
	default:
		return nil, false
	}
}

// statesIn returns the machine's states. Its package is not imported, since this
// module does without what that one needs.
func statesIn(path string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return nil, err
	}
	var states []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		kind, ok := spec.Type.(*ast.Ident)
		if !ok || kind.Name != "State" {
			return true
		}
		for _, value := range spec.Values {
			if literal, ok := value.(*ast.BasicLit); ok {
				name, unquoteErr := strconv.Unquote(literal.Value)
				err = unquoteErr
				states = append(states, name)
			}
		}
		return true
	})
	if err == nil && len(states) == 0 {
		err = fmt.Errorf("%s names none", path)
	}
	return states, err
}
