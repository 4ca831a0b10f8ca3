package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/doccheck"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
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
var notErrors = []string{"What you see", "Before you begin", "Other ends of a run", sealed.KeysUnreachable /* which passes */}

// TestDocsOfTerminalErrors holds the sections of the runbook and the names of the terminal
// errors to each other: alerts, Events and remedies refer to a section by the name.
func TestDocsOfTerminalErrors(t *testing.T) {
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
		if !sections[name] {
			t.Errorf("docs/runbook.md has no section '## %s': write what it means, what is lost and what to do", name)
		}
		if !strings.Contains(table, "`"+name+"`") {
			t.Errorf("the table at the head of docs/runbook.md does not name `%s`: add its row", name)
		}
	}
}

// vaults are messages of Vault's own.
var vaults = []string{"cluster already has state", "backend already registered"}

// TestDocsQuoteMessages looks for each message that the table of messages quotes in the
// sources: a reader finds the row by it.
func TestDocsQuoteMessages(t *testing.T) {
	facts := gather(t)
	text, err := facts.Read("docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, found := strings.Cut(text, "\n| message | exit | what to do |\n")
	if !found {
		t.Fatal("docs/runbook.md has no table of messages")
	}
	rows, _, _ = strings.Cut(rows, "\n\n")
	var sources strings.Builder
	for _, file := range facts.Files {
		if ours(file) {
			source, err := facts.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			sources.WriteString(source)
		}
	}
	var quoted [][]string
	for row := range strings.Lines(rows) {
		message, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " |")
		quoted = append(quoted, regexp.MustCompile(`(?:^|[ ,])'([^']+)'`).FindAllStringSubmatch(message, -1)...)
	}
	if len(quoted) < 10 {
		t.Errorf("only %d messages are quoted: the test looks in the wrong place", len(quoted))
	}
	for _, message := range quoted {
		if slices.Contains(vaults, message[1]) {
			continue
		}
		for _, part := range strings.Split(message[1], "…") {
			if !strings.Contains(sources.String(), strings.TrimSpace(part)) {
				t.Errorf("docs/runbook.md quotes %q, which no source says: quote the message as it is now", message[1])
			}
		}
	}
}

// TestDocsNameAlerts holds the table of alerts to the rules that are shipped.
func TestDocsNameAlerts(t *testing.T) {
	facts := gather(t)
	text, err := facts.Read("docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	alerts := map[string]bool{}
	collect(t, facts, "manifests/monitoring/alerts.yaml", `(?m)^\s*- alert: (\w+)$`, alerts)
	if len(alerts) == 0 {
		t.Error("no alert was found: the test looks in the wrong place")
	}
	for alert := range alerts {
		if !strings.Contains(text, "`"+alert+"`") {
			t.Errorf("docs/runbook.md does not name the alert %s: add its row to the table of alerts", alert)
		}
	}
	for _, named := range regexp.MustCompile("`(VaultBootstrap\\w+)`").FindAllStringSubmatch(text, -1) {
		if !alerts[named[1]] {
			t.Errorf("docs/runbook.md names the alert %s, which manifests/monitoring/alerts.yaml does not have", named[1])
		}
	}
}

// TestDocsNamePackages holds the table of folders to the packages that there are.
func TestDocsNamePackages(t *testing.T) {
	facts := gather(t)
	readme, err := facts.Read("README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range facts.Files {
		parts := strings.Split(file, "/")
		if !ours(file) || len(parts) < 3 {
			continue
		}
		want := "`" + strings.Join(parts[:2], "/") + "/`"
		if parts[0] == "cmd" {
			if len(parts) < 5 {
				continue // the command itself
			}
			want = "`" + parts[3] + "`"
		}
		if seen[want] {
			continue
		}
		seen[want] = true
		if !strings.Contains(readme, want) {
			t.Errorf("the table of folders in README.md lacks %s: say what is in it", want)
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d packages were found: the test looks in the wrong place", len(seen))
	}
}

// TestDocsAreInTheIndex holds the index to the pages that there are.
func TestDocsAreInTheIndex(t *testing.T) {
	facts := gather(t)
	index, err := facts.Read("docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range facts.Files {
		name, below := strings.CutPrefix(file, "docs/")
		if !below || filepath.Ext(name) != ".md" || name == "README.md" || strings.HasPrefix(name, "decisions/") {
			continue
		}
		if !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/README.md does not list docs/%s: add its row under the one kind that it is", name)
		}
	}
}

// TestDocsOfExitCodes holds the list in the comment of main.go to the codes.
func TestDocsOfExitCodes(t *testing.T) {
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
