package main

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/doccheck"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// repository is the root of ours.
const repository = "../../"

// foreign are the flags of other programs that pages name outside of a command line.
var foreign = map[string]string{
	"--api-versions":               "helm",
	"--as":                         "kubectl",
	"--dry-run":                    "kubectl",
	"--encryption-provider-config": "kube-apiserver",
	"--decrypt":                    "age",
	"--fsync":                      "etcd",
	"--identity":                   "age",
	"--reset-then-reuse-values":    "helm",
	"--reuse-values":               "helm",
	"--rollback-on-failure":        "helm",
	"--set":                        "helm",
	"--set-file":                   "helm",
	"--show":                       "swapon",
	"--wait":                       "helm",
	"--wait-for-jobs":              "helm",
}

// ofReports are names under which metrics and Events report what has no name of its own.
var ofReports = []string{
	report.FailureName(fault.BadSeed(errors.New("x"), "")),
	report.FailureName(fault.Misuse(errors.New("x"), "")),
	report.FailureName(fault.Stop("", errors.New("x"), "")),
}

// gather collects what the pages are held to.
func gather(t *testing.T) *doccheck.Facts {
	t.Helper()
	facts := &doccheck.Facts{
		Built: []string{"bin", "bin/vault-bootstrap", "bin/image"},
		Read: func(file string) (string, error) {
			text, err := os.ReadFile(repository + file)
			return string(text), err
		},
		Verbs:   verbs(),
		Foreign: foreign,
		Values:  map[string]bool{},
		Targets: map[string]bool{},
		Tests:   map[string]bool{},
		Exit:    exitCodes(t),
		Counts:  counts(t),
	}
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == ".git" || name == "bin" {
				return filepath.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(repository, path)
		facts.Files = append(facts.Files, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	facts.Terminal = terminalNames(t, facts)
	for _, name := range ofReports {
		facts.Terminal[name] = true
	}
	for _, file := range facts.Files {
		if strings.HasSuffix(file, "_test.go") {
			collect(t, facts, file, `(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`, facts.Tests)
		}
	}
	collect(t, facts, "Makefile", `(?m)^([a-z][a-z0-9-]*(?: [a-z][a-z0-9-]*)*):`, facts.Targets)
	values(t, facts)
	return facts
}

// collect enters what the pattern's first group finds in a file, word by word.
func collect(t *testing.T, facts *doccheck.Facts, file, pattern string, into map[string]bool) {
	t.Helper()
	text, err := facts.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		for _, word := range strings.Fields(match[1]) {
			into[word] = true
		}
	}
}

// verbs returns the commands with their flags.
func verbs() map[string][]string {
	root := (&program{}).root()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.InitDefaultVersionFlag()
	found := map[string][]string{}
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		flags := []string{"--help", "-h"}
		add := func(flag *pflag.Flag) {
			flags = append(flags, "--"+flag.Name)
			if flag.Shorthand != "" {
				flags = append(flags, "-"+flag.Shorthand)
			}
		}
		cmd.Flags().VisitAll(add)
		cmd.InheritedFlags().VisitAll(add)
		found[strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), root.Name()), " ")] = flags
		for _, below := range cmd.Commands() {
			visit(below)
		}
	}
	visit(root)
	return found
}

// terminalNames returns the names that the sources give to terminal errors: what fault.Stop and
// store.Concern are called with.
func terminalNames(t *testing.T, facts *doccheck.Facts) map[string]bool {
	t.Helper()
	constants := map[string]string{}
	var given []ast.Expr
	for _, file := range facts.Files {
		if !ours(file) {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), repository+file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.ValueSpec:
				for i, value := range node.Values {
					if text, is := value.(*ast.BasicLit); is && text.Kind == token.STRING {
						constants[node.Names[i].Name] = strings.Trim(text.Value, `"`)
					}
				}
			case *ast.CallExpr:
				if lastName(node.Fun) == "Stop" && len(node.Args) == 3 {
					given = append(given, node.Args[0])
				}
			case *ast.CompositeLit:
				if lastName(node.Type) == "Concern" {
					given = append(given, fieldCalled("Name", node)...)
				}
			}
			return true
		})
	}
	names := map[string]bool{}
	for _, expression := range given {
		switch e := expression.(type) {
		case *ast.BasicLit:
			names[strings.Trim(e.Value, `"`)] = true
		case *ast.Ident, *ast.SelectorExpr:
			if name := lastName(e); constants[name] != "" {
				names[constants[name]] = true
			} else if name != "Name" { // that of a Concern, whose literals are looked at
				t.Errorf("the name of a terminal error is %s, which is no constant: make it one", name)
			}
		}
	}
	delete(names, "") // of a bug
	return names
}

// ours reports whether a file is a source of the program, and not of its tests.
func ours(file string) bool {
	root, _, _ := strings.Cut(file, "/")
	return slices.Contains([]string{"cmd", "fsm", "internal", "states"}, root) && filepath.Ext(file) == ".go" && !strings.HasSuffix(file, "_test.go")
}

// lastName returns 'Stop' of fault.Stop, "" of what has no name.
func lastName(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// fieldCalled returns what a literal gives to a field.
func fieldCalled(name string, literal *ast.CompositeLit) []ast.Expr {
	for _, element := range literal.Elts {
		if pair, is := element.(*ast.KeyValueExpr); is && lastName(pair.Key) == name {
			return []ast.Expr{pair.Value}
		}
	}
	return nil
}

// exitCodes returns the exit codes with words of their meaning.
func exitCodes(t *testing.T) map[int]*regexp.Regexp {
	t.Helper()
	cause := errors.New("x")
	codes := map[int]*regexp.Regexp{2: regexp.MustCompile("crash")} // that of the Go runtime
	for _, each := range []struct {
		err   error
		words string
	}{
		{nil, "done"},
		{fault.Wait(cause, ""), "transient"},
		{errChanges, "plan.*verify|verify.*plan"}, // and errFound, which is the same to a caller
		{fault.Misuse(cause, ""), "usage"},
		{fault.BadSeed(cause, ""), "seed"},
		{fault.Stop("x", cause, ""), "terminal"},
		{fault.Held(cause, ""), "another"},
	} {
		code := 0
		if each.err != nil {
			code = exitCode(each.err)
		}
		codes[code] = regexp.MustCompile("(?i)" + each.words)
	}
	if got := report.ExitCode(fault.Part(cause, "")); codes[got] == nil {
		t.Errorf("a partial failure ends with %d, of which the test knows nothing", got)
	}
	return codes
}

// counts returns the numbers that pages state.
func counts(t *testing.T) []doccheck.Count {
	t.Helper()
	const number = `(?i)\b(\d+|no|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)`
	always := 0
	for _, control := range harden.Controls() {
		if control.Profile == harden.Base {
			always++
		}
	}
	seeds, err := filepath.Glob(repository + "docs/cookbook/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return []doccheck.Count{
		{Of: regexp.MustCompile(number + ` controls are required always`), Want: always, From: "internal/harden"},
		{Of: regexp.MustCompile(number + ` controls\b`), Want: len(harden.Controls()), From: "internal/harden"},
		{Of: regexp.MustCompile(number + ` profiles\b`), Want: int(harden.Strict - harden.Baseline + 1), From: "internal/harden"},
		{Of: regexp.MustCompile(`No API shows ` + number + ` more points`), Want: len(harden.ByHand(product.Product{})), From: "internal/harden/manual.go"},
		{Of: regexp.MustCompile(number + ` tested seeds`), Want: len(seeds), From: "docs/cookbook"},
	}
}

// values enters the paths of the chart's values.
func values(t *testing.T, facts *doccheck.Facts) {
	t.Helper()
	text, err := facts.Read("manifests/chart/vault-bootstrap/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	var visit func(prefix string, node map[string]any)
	visit = func(prefix string, node map[string]any) {
		for key, value := range node {
			facts.Values[prefix+key] = true
			if below, is := value.(map[string]any); is {
				visit(prefix+key+".", below)
			}
		}
	}
	visit("", tree)
}
