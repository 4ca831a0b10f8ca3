package doccheck_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/doccheck"
)

var files = map[string]string{
	"README.md":                    "# Us\n",
	"Makefile":                     "",
	"docs/runbook.md":              "# Runbook\n\n## keys lost\n\n## `code` in a heading → x\n\n    ## no heading\n",
	"docs/decisions/0007-seven.md": "",
	"internal/store/store.go":      "",
	"internal/store/wire/wire.go":  "",
	"test/e2e/doc_test.go":         "",
	"test/tools/build":             "case $1 in --list)",
	"test/tools/vault/go.mod":      "",
}

func facts() *doccheck.Facts {
	f := &doccheck.Facts{
		Built: []string{"bin/vault-bootstrap"},
		Read: func(file string) (string, error) {
			text, known := files[file]
			if !known {
				return "", errors.New("not there")
			}
			return text, nil
		},
		Verbs: map[string][]string{
			"":                 {"--help"},
			"run":              {"--until", "--seed", "--help"},
			"keys":             {"--help"},
			"keys list":        {"-o", "--help"},
			"break-glass":      {"--help"},
			"break-glass run":  {"--reason"},
			"break-glass exec": {"--reason", "--token-file"},
		},
		Foreign:  map[string]string{"--wait": "helm"},
		Values:   map[string]bool{"vault": true, "vault.scheme": true, "run": true, "run.until": true},
		Targets:  map[string]bool{"test": true, "e2e": true},
		Tests:    map[string]bool{"TestOne": true},
		Terminal: map[string]bool{"keys lost": true},
		Exit:     map[int]*regexp.Regexp{0: regexp.MustCompile("done"), 64: regexp.MustCompile("usage"), 70: regexp.MustCompile("terminal")},
		Counts: []doccheck.Count{
			{Of: regexp.MustCompile(`(?i)\b(\d+|two|four) controls are required always`), Want: 2, From: "harden"},
			{Of: regexp.MustCompile(`(?i)\b(\d+|two|four) controls`), Want: 42, From: "harden"},
		},
	}
	for file := range files {
		f.Files = append(f.Files, file)
	}
	return f
}

// TestProblems shows each rule: what holds passes, and what does not is named with its line.
func TestProblems(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want string // a part of the only problem; "" for none
	}{
		"link":                              {"See [this](docs/runbook.md).", ""},
		"link to nothing":                   {"See\n[this](docs/rnbook.md).", "README.md:2: the link to docs/rnbook.md leads nowhere"},
		"moved file":                        {"[x](runbook.md)", "There is docs/runbook.md: link to that"},
		"link out of the world":             {"[x](https://example.org/nothing)", ""},
		"link in code":                      {"`[x](nowhere.md)`\n\n    [x](nowhere.md)\n", ""},
		"image":                             {"![x](docs/nothing.png)", "docs/nothing.png leads nowhere"},
		"link by reference":                 {"[x]: docs/nothing.md", "docs/nothing.md leads nowhere"},
		"anchor":                            {"[x](docs/runbook.md#keys-lost)", ""},
		"anchor of a heading with code":     {"[x](docs/runbook.md#code-in-a-heading--x)", ""},
		"anchor to nothing":                 {"[x](docs/runbook.md#keys-gone)", "Link to a heading that is there: #keys-lost"},
		"heading in code is none":           {"[x](docs/runbook.md#no-heading)", "has no heading"},
		"anchor in this page":               {"# A b\n\n[x](#a-b) [y](#a-c)", "README.md:3: the link to #a-c"},
		"decision":                          {"(decision 7)", ""},
		"no decision":                       {"(decision 8)", "there is no decision 8"},
		"path":                              {"`internal/store/store.go` and `internal/*`, `test/tools/NAME/go.mod`, `bin/vault-bootstrap`", ""},
		"path to nothing":                   {"`internal/store/store2.go`", "there is no internal/store/store2.go"},
		"path that has moved":               {"`internal/wire.go`", "There is internal/store/wire/wire.go: name that."},
		"path in a code block":              {"    cat test/tools/vault/go.sum", "there is no test/tools/vault/go.sum"},
		"path of a test's module":           {"    cd test && go test ./e2e ./test/...", ""},
		"path of somebody else's":           {"`/etc/vault/config.hcl`, `auth/kubernetes/role`, `keys.json`, `seed.yaml`", ""},
		"name of a Go file":                 {"`wire/wire.go` and `store.go`", ""},
		"no such Go file":                   {"`stores.go`", "there is no file stores.go"},
		"test":                              {"`TestOne`", ""},
		"no such test":                      {"    go test -run TestTwo", "there is no test TestTwo"},
		"flag":                              {"`--until=STATE`, or `run --until=STATE`, and --seed", ""},
		"flag that no verb has":             {"`--til`", "no verb has the flag --til"},
		"flag in plain text":                {"Give --til.", "no verb has the flag --til"},
		"flag of another verb":              {"    vault-bootstrap run --reason=x", "vault-bootstrap run has no flag --reason. It is a flag of 'vault-bootstrap break-glass exec', 'vault-bootstrap break-glass run'."},
		"flag of one of two verbs":          {"`break-glass run|exec --token-file=x`", "vault-bootstrap break-glass run has no flag --token-file"},
		"short flag":                        {"    vault-bootstrap keys list -n x", "has no flag -n"},
		"foreign flag":                      {"`--wait`", ""},
		"flag of a foreign command":         {"    kubectl get --all pods | vault write --anything", ""},
		"flag behind a pipe":                {"    cat x | vault-bootstrap run --all", "has no flag --all"},
		"flag in a continued line":          {"    vault-bootstrap run \\\n      --all\n", "has no flag --all"},
		"flag after a continued line":       {"    vault-bootstrap run \\\n      --seed=x\n    vault-bootstrap run --all\n", "README.md:3: vault-bootstrap run has no flag --all"},
		"flag in brackets":                  {"    vault-bootstrap run [--seed=FILE] [--all]", "has no flag --all"},
		"flag in a comment":                 {"    vault-bootstrap run   # not --all", ""},
		"flag in quotes":                    {"    vault-bootstrap run --seed='a --b | c'", ""},
		"flag behind --":                    {"    vault-bootstrap break-glass exec --reason=x -- vault list --all", ""},
		"in a command of another":           {"    kubectl exec vault-0 -- vault-bootstrap run --all", "has no flag --all"},
		"flag of a script":                  {"    test/tools/build --list", ""},
		"flag that a script has not":        {"    test/tools/build --all", "test/tools/build has no flag --all"},
		"variable":                          {"`VAULT_BOOTSTRAP_UNTIL`", ""},
		"variable of no flag":               {"`VAULT_BOOTSTRAP_KEY`", "no verb has the flag --key"},
		"verb":                              {"    kubectl vault-bootstrap keys list\n    bin/vault-bootstrap VERB …", ""},
		"verb that is none":                 {"    vault-bootstrap keys show", `there is no verb "vault-bootstrap keys show". Name one of: list.`},
		"argument of a verb":                {"    vault-bootstrap run everything", ""},
		"target":                            {"`make test`, `make e2e RUN=TestOne`, `make TARGET`", ""},
		"target that is none":               {"`make tests`", "the Makefile has no target tests"},
		"value":                             {"    helm install vault-bootstrap x --set vault.scheme=http,run.until=seeded", ""},
		"value that is none":                {"    helm install vault-bootstrap x --set vault.scheme=http,vault.tls=true", "the chart has no value vault.tls"},
		"value of another chart":            {"    helm install vault hashicorp/vault --set server.ha=true", ""},
		"value in a sentence":               {"`vault.schema=http`", "the chart has no value vault.schema"},
		"file that looks like a value":      {"`run.yaml`", ""},
		"terminal error":                    {"terminal `keys lost`", ""},
		"terminal error that is none":       {"terminal `gone`", `there is no terminal error "gone"`},
		"terminal error that is misspelt":   {"ends as `sealed by purpose`", `no command and no terminal error is called "sealed by purpose"`},
		"exit code behind a name":           {"`keys lost` (70)", ""},
		"wrong exit code behind a name":     {"`keys lost` (64)", `"keys lost" is a terminal error, and does not end with 64`},
		"exit code":                         {"It exits with 64, ends with 70 or `exit 0`.", ""},
		"seconds":                           {"It ends with 300 seconds to go.", ""},
		"exit code that is none":            {"exit codes 64, 70 and 71", "there is no exit code 71"},
		"exit code in brackets":             {"an error (66)", "there is no exit code 66"},
		"table of codes":                    {"| code | meaning |\n| --- | --- |\n| 0 | done |\n| 64 | usage |\n| 70 | terminal |\n\nText.", ""},
		"table of codes with a wrong one":   {"| code | meaning |\n| --- | --- |\n| 0 | done |\n| 64 | terminal |\n| 70 | terminal |\n", `README.md:4: exit code 64 does not mean "terminal"`},
		"table of codes that lacks one":     {"| code | meaning |\n| --- | --- |\n| 0 | done |\n| 64 | usage |\n", "README.md:1: the table of exit codes lacks 70"},
		"table with a code that is none":    {"| what | exit |\n| --- | --- |\n| x | 3 |\n", "there is no exit code 3"},
		"count":                             {"It judges 42 controls. Two controls are required always.", ""},
		"count that is wrong":               {"Four\ncontrols exist.", `README.md:1: "Four controls": there are 42`},
		"count of the required that is not": {"Four controls are required always.", "there are 2"},
	} {
		t.Run(name, func(t *testing.T) {
			problems := facts().Check("README.md", test.text)
			switch {
			case test.want == "" && len(problems) > 0:
				t.Errorf("%q: %v", test.text, problems)
			case test.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].String(), test.want)):
				t.Errorf("%q: %v, want one with %q", test.text, problems, test.want)
			}
		})
	}
}

// TestLinksAreRelative resolves a link from where its page stands.
func TestLinksAreRelative(t *testing.T) {
	f := facts()
	if problems := f.Check("docs/runbook.md", "[x](../README.md) [y](#keys-lost)\n\n## keys lost\n"); len(problems) > 0 {
		t.Error(problems)
	}
	if problems := f.Check("docs/runbook.md", "[x](README.md)"); len(problems) != 1 {
		t.Errorf("%v, want one", problems)
	}
}

// TestRecordsKeepTheirWords judges only the links of a record.
func TestRecordsKeepTheirWords(t *testing.T) {
	problems := facts().CheckLinks("docs/decisions/0007-seven.md", "`internal/gone.go` has four controls, see [x](../gone.md).")
	if len(problems) != 1 || !strings.Contains(problems[0].What, "docs/gone.md") {
		t.Errorf("%v, want one about the link", problems)
	}
}

// TestMentions judges the pages that messages and comments refer to.
func TestMentions(t *testing.T) {
	problems := facts().CheckMentions("internal/store/store.go", "// docs/runbook.md and docs/decisions/0007 say more.\n// So does docs/seed.md.\n")
	if len(problems) != 1 || problems[0].Line != 2 || !strings.Contains(problems[0].What, "docs/seed.md") {
		t.Errorf("%v, want one in line 2", problems)
	}
}
