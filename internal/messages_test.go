package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mostSentences is how long a message, or a remedy, may be (decision 80).
const mostSentences = 2

var (
	sentenceEnd = regexp.MustCompile(`[.!?]['")]*(\s|$)`)
	// avoided are words that are not those of the field: CONTRIBUTING.md has the glossary.
	avoided = regexp.MustCompile(`(?i)\b(tells?|told|telling|hears?|heard|odd|hush(ed)?|clerk|planter|doorman|wish(es)?|sight|glass|as it were)\b`)
)

// TestMessages holds what people are shown to its length and to its words: the messages and remedies of
// all faults and controls, and what is logged. A part that is known only at run time counts as one word.
func TestMessages(t *testing.T) {
	seen := 0
	for _, m := range messages(t) {
		seen++
		if got := len(sentenceEnd.FindAllString(m.text+" ", -1)); got > mostSentences {
			t.Errorf("%s: %d sentences, at most %d. What else is to be said belongs into docs/runbook.md: %q", m.at, got, mostSentences, m.text)
		}
		if found := avoided.FindString(strings.ReplaceAll(strings.ToLower(m.text), "break-glass", "")); found != "" {
			t.Errorf("%s: use another word than %q: %q", m.at, found, m.text)
		}
	}
	if seen < 500 {
		t.Errorf("only %d messages were found", seen)
	}
}

// TestMessagesAreHeld lets the rules find what they are there for.
func TestMessagesAreHeld(t *testing.T) {
	for text, want := range map[string]int{
		"Run again.": 1, "Set --replicas=3. Then run again": 1, "Nothing was changed. It is 'not ours'. Run again.": 3, "give docs/runbook.md": 0, "(see a.b) 1.5 s": 0,
	} {
		if got := len(sentenceEnd.FindAllString(text+" ", -1)); got != want {
			t.Errorf("%q has %d ends of sentences, want %d", text, got, want)
		}
	}
	if !avoided.MatchString("Vault was told") || avoided.MatchString("a modification of the middle") {
		t.Error("the words are not recognized")
	}
}

// message is a text that is shown to people, and where it is in the source.
type message struct{ at, text string }

// messages returns the texts of all packages.
func messages(t *testing.T) []message {
	t.Helper()
	var found []message
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			return nil
		}
		if slices.Contains([]string{"test", "testdata"}, entry.Name()) || strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." {
			return filepath.SkipDir
		}
		files, err := filepath.Glob(filepath.Join(path, "*.go"))
		if err != nil {
			return err
		}
		found = append(found, messagesOf(t, files)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// messagesOf returns the texts of one package.
func messagesOf(t *testing.T, files []string) []message {
	t.Helper()
	positions, names := token.NewFileSet(), map[string]string{}
	var parsed []*ast.File
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(positions, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
		ast.Inspect(file, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok && len(spec.Values) == len(spec.Names) {
				for i, name := range spec.Names {
					names[name.Name] = textOf(spec.Values[i], nil)
				}
			}
			return true
		})
	}
	var found []message
	for _, file := range parsed {
		ast.Inspect(file, func(node ast.Node) bool {
			for _, shown := range shownBy(node) {
				found = append(found, message{positions.Position(shown.Pos()).String(), textOf(shown, names)})
			}
			return true
		})
	}
	return found
}

// remedies are the fields that hold one: the second is that of a control.
var remedies = []string{"Remedy", "OnOpenBao"}

// shownBy returns the expressions of a node that are shown to people.
func shownBy(node ast.Node) []ast.Expr {
	switch node := node.(type) {
	case *ast.KeyValueExpr:
		if name, ok := node.Key.(*ast.Ident); ok && slices.Contains(remedies, name.Name) {
			return []ast.Expr{node.Value}
		}
		return nil
	case *ast.AssignStmt:
		if field, ok := node.Lhs[0].(*ast.SelectorExpr); ok && len(node.Lhs) == 1 && slices.Contains(remedies, field.Sel.Name) {
			return node.Rhs
		}
		return nil
	}
	call, ok := node.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return nil
	}
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	in, _ := function.X.(*ast.Ident)
	switch function.Sel.Name {
	case "Stop", "Wait", "Misuse", "BadSeed", "Held", "Part":
		if in != nil && in.Name == "fault" && len(call.Args) > 1 {
			return call.Args[len(call.Args)-2:]
		}
	case "Info", "Warn", "Error":
		if _, literal := call.Args[0].(*ast.BasicLit); literal {
			return append([]ast.Expr{call.Args[0]}, loggedRemedies(call.Args)...)
		}
	}
	return nil
}

// loggedRemedies returns the remedies among the attributes of a log line.
func loggedRemedies(args []ast.Expr) []ast.Expr {
	for i, arg := range args[:len(args)-1] {
		if key, ok := arg.(*ast.BasicLit); ok && key.Value == `"remedy"` {
			return args[i+1 : i+2]
		}
	}
	return nil
}

// textOf returns the text of an expression, with X for what is not known before the program runs.
func textOf(e ast.Expr, names map[string]string) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return textOf(e.X, names) + textOf(e.Y, names)
	case *ast.ParenExpr:
		return textOf(e.X, names)
	case *ast.Ident:
		if text, known := names[e.Name]; known {
			return text
		}
	case *ast.CallExpr:
		function, ok := e.Fun.(*ast.SelectorExpr)
		if ok && slices.Contains([]string{"Sprintf", "Errorf", "New"}, function.Sel.Name) && len(e.Args) > 0 {
			return textOf(e.Args[0], names)
		}
	}
	return "X"
}
