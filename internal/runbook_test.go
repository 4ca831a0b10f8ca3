package internal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRunbookCoversEveryTerminalError looks for a section on each name that a
// terminal error can have.
func TestRunbookCoversEveryTerminalError(t *testing.T) {
	content, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	patterns := []*regexp.Regexp{
		regexp.MustCompile(`fault\.Stop\(\s*"([^"]+)"`),
		regexp.MustCompile(`(?m)^\s*Name[A-Za-z]+\s*=\s*"([^"]+)"`),
	}
	names := map[string]string{}
	for _, root := range []string{"../cmd", "../fsm", "../states", "."} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, pattern := range patterns {
				for _, match := range pattern.FindAllSubmatch(source, -1) {
					names[string(match[1])] = path
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(names) < 10 {
		t.Errorf("only %d names were found: the test looks in the wrong place", len(names))
	}
	for name, path := range names {
		if !strings.Contains(string(content), "\n## "+name+"\n") {
			t.Errorf("docs/runbook.md has no section '## %s' (%s)", name, path)
		}
	}
}
