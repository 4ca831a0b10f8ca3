package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/explain"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/help"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/fields"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
)

// TestExplainCoversEverything looks up every name that the program's own tables have.
func TestExplainCoversEverything(t *testing.T) {
	topics, err := topics((&program{}).root())
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]map[string]bool{explain.Key: schemaKeys(t), explain.Engine: {}, explain.Control: {}, explain.Flag: {}, explain.ExitCode: {}, explain.Event: {}}
	facts := gather(t)
	wanted[explain.Terminal] = facts.Terminal
	for name := range facts.Terminal {
		wanted[explain.Event][report.ReasonOf(name)] = true
	}
	for code := range facts.Exit {
		wanted[explain.ExitCode][strconv.Itoa(code)] = true
	}
	for _, reason := range report.Reasons() {
		wanted[explain.Event][reason] = true
	}
	for _, control := range harden.Controls() {
		wanted[explain.Control][control.ID] = true
	}
	table, err := fields.Read()
	if err != nil {
		t.Fatal(err)
	}
	for _, endpoint := range table.Endpoints {
		wanted[explain.Engine][endpoint.Engine+"/"+endpoint.Path] = true
	}
	for verb, flags := range facts.Verbs {
		for _, flag := range flags {
			if strings.HasPrefix(flag, "--") && !strings.HasPrefix(verb, "completion") && flag != "--help" {
				wanted[explain.Flag][flag] = true
			}
		}
	}
	for kind, names := range wanted {
		if len(names) < 8 {
			t.Errorf("only %d names of the kind %s: the test looks in the wrong place", len(names), kind)
		}
		for name := range names {
			found, err := topics.Find(name)
			i := slices.IndexFunc(found, func(topic explain.Topic) bool { return topic.Kind == kind })
			if err != nil || i < 0 {
				t.Errorf("explain %s finds no %s: %v", name, kind, err)
			} else if len(found[i].Text) < 5 || found[i].About == "" {
				t.Errorf("explain %s says nothing", name)
			}
		}
	}
}

// schemaKeys returns the places of all keys that the schema for editors has.
func schemaKeys(t *testing.T) map[string]bool {
	t.Helper()
	text, err := lang.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	var visit func(prefix string, node any)
	visit = func(prefix string, node any) {
		switch node := node.(type) {
		case []any:
			for _, each := range node {
				visit(prefix, each)
			}
		case map[string]any:
			for name, below := range node {
				inner, isMap := below.(map[string]any)
				switch {
				case name == "properties" && isMap:
					for key, value := range inner {
						keys[prefix+key] = true
						visit(prefix+key+".", value)
					}
				case name == "patternProperties" && isMap:
					for pattern, value := range inner {
						key := strings.TrimSuffix(strings.TrimPrefix(pattern, "^"), ".")
						keys[prefix+key+"…"] = true
						visit(prefix+key+".", value)
					}
				default:
					visit(prefix, below)
				}
			}
		}
	}
	visit("", schema)
	return keys
}

// TestExplainUnknown holds that a name which is nearly right gets the right one.
func TestExplainUnknown(t *testing.T) {
	topics, err := topics((&program{}).root())
	if err != nil {
		t.Fatal(err)
	}
	for wrong, right := range map[string]string{"auth.rols": "auth.roles", "key lost": "keys lost", "--keys-too": "--keys-to", "audit-rwa": "audit-raw"} {
		_, err := topics.Find(wrong)
		unknown, is := errors.AsType[*explain.UnknownError](err)
		if !is || !slices.Contains(unknown.Near, right) {
			t.Errorf("explain %s: %+v, want %s among the nearest", wrong, unknown, right)
		}
	}
}

// TestExitCodesOfReadme holds the README to the table that explain prints.
func TestExitCodesOfReadme(t *testing.T) {
	text, err := gather(t).Read("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range report.Codes() {
		if row := fmt.Sprintf("\n| %d | %s | ", code.Code, code.Meaning); !strings.Contains(text, row) {
			t.Errorf("README.md has no row %q", row)
		}
	}
}

// TestHelpPages holds the pages of help to their width, and to the flags that there are.
func TestHelpPages(t *testing.T) {
	root := (&program{stdout: &bytes.Buffer{}}).root()
	known := map[string]bool{}
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		page := helpPage(cmd)
		for line := range strings.Lines(page) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > help.Width {
				t.Errorf("%s --help has a line of more than %d columns: %s", cmd.CommandPath(), help.Width, line)
			}
		}
		flat := strings.Join(strings.Fields(page), " ")
		for _, flag := range flagsOf(cmd) {
			known[flag[0]] = true
			if !strings.Contains(flat, "--"+flag[0]+" ") || !strings.Contains(flat, flag[1]) {
				t.Errorf("%s --help does not show --%s with its text", cmd.CommandPath(), flag[0])
			}
		}
		for _, below := range cmd.Commands() {
			visit(below)
		}
	}
	visit(root)
	for _, name := range help.Grouped() {
		if !known[name] {
			t.Errorf("the groups of help name --%s, which no verb has", name)
		}
	}
}

// flagsOf returns the names and the texts of a command's flags.
func flagsOf(cmd *cobra.Command) [][2]string {
	var all [][2]string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		_, usage := pflag.UnquoteUsage(flag)
		all = append(all, [2]string{flag.Name, strings.Join(strings.Fields(usage), " ")})
	})
	return all
}

// TestCompletionsAreTaken holds that the text of a flag names each value that is completed.
func TestCompletionsAreTaken(t *testing.T) {
	seen := 0
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			for _, value := range help.Values(cmd.Name(), flag.Name) {
				seen++
				if !strings.Contains(flag.Usage, value) && !slices.Contains(lang.LoginMethods(), value) && flag.Name != "ceremonies" {
					t.Errorf("%s --%s is completed to %q, which its text does not name: %s", cmd.CommandPath(), flag.Name, value, flag.Usage)
				}
			}
		})
		for _, below := range cmd.Commands() {
			visit(below)
		}
	}
	visit((&program{}).root())
	if seen < 50 {
		t.Errorf("only %d values are completed: the test looks in the wrong place", seen)
	}
}
