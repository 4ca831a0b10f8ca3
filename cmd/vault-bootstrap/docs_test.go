package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/doccheck"
)

// TestDocs holds every page of the repository to the program, the chart and the files that it
// names. It stands here since only the command knows its verbs and flags.
func TestDocs(t *testing.T) {
	facts := gather(t)
	pages := 0
	for _, file := range facts.Files {
		text, err := facts.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		var problems []doccheck.Problem
		switch {
		case strings.Contains(file, "/testdata/"), strings.HasPrefix(file, "internal/doccheck/"):
			continue // of the tests themselves
		case strings.HasPrefix(file, "docs/decisions/"):
			problems = facts.CheckLinks(file, text) // a record says what was true at its time
		case filepath.Ext(file) == ".md":
			pages++
			problems = facts.Check(file, text)
		case slices.Contains([]string{".go", ".yaml", ".tpl", ".txt", ".json", ""}, filepath.Ext(file)):
			problems = facts.CheckMentions(file, text)
		}
		for _, problem := range problems {
			t.Error(problem)
		}
	}
	if pages < 15 {
		t.Errorf("only %d pages were found: the test looks in the wrong place", pages)
	}
}

// notErrors are the headings of the runbook that are not the name of a terminal error.
var notErrors = []string{"What you see", "Before you begin", "Other ends of a run"}

// TestRunbookCoversTerminalErrors holds the sections of the runbook and the names of the terminal
// errors to each other: alerts, Events and remedies refer to a section by the name.
func TestRunbookCoversTerminalErrors(t *testing.T) {
	facts := gather(t)
	text, err := facts.Read("docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(text, -1) {
		sections[heading[1]] = true
		if !facts.Terminal[heading[1]] && !slices.Contains(notErrors, heading[1]) {
			t.Errorf("docs/runbook.md has a section %q, which is no terminal error: rename it, or take it out", heading[1])
		}
	}
	table, _, _ := strings.Cut(text, "\n## Before you begin\n")
	if len(facts.Terminal) < 20 {
		t.Errorf("only %d terminal errors were found: the test looks in the wrong place", len(facts.Terminal))
	}
	for name := range facts.Terminal {
		if slices.Contains(ofWatch, name) {
			continue
		}
		if !sections[name] {
			t.Errorf("docs/runbook.md has no section '## %s': write what it means, what is lost and what to do", name)
		}
		if !strings.Contains(table, "`"+name+"`") {
			t.Errorf("the table at the head of docs/runbook.md does not name `%s`: add its row", name)
		}
	}
}

// TestExitCodesInPackageComment holds the list in the comment of main.go to the codes.
func TestExitCodesInPackageComment(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	table := "| code | meaning |\n"
	for _, row := range regexp.MustCompile(`(?m)^//\t(\d+) +(.+)$`).FindAllSubmatch(source, -1) {
		table += "| " + string(row[1]) + " | " + string(row[2]) + " |\n"
	}
	for _, problem := range gather(t).Check("main.go", table) {
		t.Errorf("%s: %s", problem.What, problem.Remedy)
	}
}
