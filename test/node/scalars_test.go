package node

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// scalar is a key and a value as they stand in a seed, with what Vault holds of them: JSON for what
// is no text.
type scalar struct{ written, key, text, json string }

// scalars are of each kind that YAML has. What is a number by the rules of JSON stays that number,
// digit by digit; whatever else only looks like one stays the text that was written.
var scalars = []scalar{
	{"octal: 0600", "octal", "0600", ""},
	{"digits: 0123", "digits", "0123", ""},
	{"octal12: 0o17", "octal12", "0o17", ""},
	{"hexadecimal: 0x1F", "hexadecimal", "0x1F", ""},
	{"binary: 0b101", "binary", "0b101", ""},
	{"version: 1.10", "version", "", "1.10"},
	{"exponent: 1e3", "exponent", "", "1e3"},
	{"fraction: .5", "fraction", ".5", ""},
	{"point: 1.", "point", "1.", ""},
	{"signed: +1", "signed", "+1", ""},
	{"negative: -7", "negative", "", "-7"},
	{"zero: 0", "zero", "", "0"},
	{"underscored: 1_000", "underscored", "1_000", ""},
	{"large: 12345678901234567890", "large", "", "12345678901234567890"},
	{"precise: 0.1000000000000000055511151231257827", "precise", "", "0.1000000000000000055511151231257827"},
	{"infinite: .inf", "infinite", ".inf", ""},
	{"none: .NaN", "none", ".NaN", ""},
	{"yes: yes", "yes", "yes", ""},
	{"no: no", "no", "no", ""},
	{"on: on", "on", "on", ""},
	{"off: off", "off", "off", ""},
	{"n: y", "n", "y", ""},
	{"truth: true", "truth", "", "true"},
	{"untruth: False", "untruth", "", "false"},
	{"true: key", "true", "key", ""},
	{"123: key", "123", "key", ""},
	{"0x10: key", "0x10", "key", ""},
	{"date: 2026-11-30", "date", "2026-11-30", ""},
	{"moment: 2026-11-30T12:30:45Z", "moment", "2026-11-30T12:30:45Z", ""},
	{"time: 12:30:45", "time", "12:30:45", ""},
	{`quoted: "0600"`, "quoted", "0600", ""},
	{`number: "42"`, "number", "42", ""},
	{`switch: "true"`, "switch", "true", ""},
	{`nothing: "null"`, "nothing", "null", ""},
	{`tilde: '~'`, "tilde", "~", ""},
	{"single: 'it''s \\n'", "single", `it's \n`, ""},
	{`double: "a\tb\nc\\ \"d\" \x41"`, "double", "a\tb\nc\\ \"d\" A", ""},
	{`empty: ""`, "empty", "", ""},
	{`spaces: "  both ends  "`, "spaces", "  both ends  ", ""},
	{"plain: several words # and a comment", "plain", "several words", ""},
	{"lines: one\n  two", "lines", "one two", ""},
	{"tagged: !!str 5", "tagged", "5", ""},
	{"unicode: grüße 密码 \U0001F511", "unicode", "grüße 密码 \U0001F511", ""},
	{`escaped: "\u2028 \U0001F511 \u00e9 \ufeff"`, "escaped", "\u2028 \U0001F511 é \ufeff", ""},
	{`"ключ 1": value`, "ключ 1", "value", ""},
	{`"": of an empty key`, "", "of an empty key", ""},
	{"literal: |\n  two\n    lines\n", "literal", "two\n  lines\n", ""},
	{"stripped: |-\n  two\n  lines\n", "stripped", "two\nlines", ""},
	{"kept: |+\n  end\n\n\n", "kept", "end\n\n\n", ""},
	{"tabs: |\n  a\tb\t\n  \tindented\n", "tabs", "a\tb\t\n\tindented\n", ""},
	{"leading: |2\n    deep\n  less\n", "leading", "  deep\nless\n", ""},
	{"folded: >\n  one\n  line\n\n  and another\n", "folded", "one line\nand another\n", ""},
	{"foldedStrip: >-\n  one\n  line\n", "foldedStrip", "one line", ""},
	{"template: '{{ .Values.name }} {{identity.entity.id}}'", "template", "{{ .Values.name }} {{identity.entity.id}}", ""},
	{"markup: <b>&amp;</b>", "markup", "<b>&amp;</b>", ""},
	{"list: [0600, 1.10, yes, \"\"]", "list", "", `["0600",1.10,"yes",""]`},
	{"mapping: {mode: 0600, on: off}", "mapping", "", `{"mode":"0600","on":"off"}`},
	{"anchor: &anchor 0777", "anchor", "0777", ""},
	{"alias: *anchor", "alias", "0777", ""},
}

// written is the scalars as the mapping of a seed, at a depth.
func writtenScalars(depth int) string {
	var b strings.Builder
	for _, each := range scalars {
		for line := range strings.Lines(strings.TrimSuffix(each.written, "\n") + "\n") {
			if line = strings.TrimSuffix(line, "\n"); line != "" {
				line = strings.Repeat(" ", depth) + line
			}
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// scalarSeed writes the scalars to a path of KV.
func scalarSeed(path string) string {
	return "startupSecrets:\n  - type: kv\n    path: " + path + "\n    data:\n      data:\n" + writtenScalars(8)
}

// The paths of the seed from values, and of the one in a Secret.
const ofValues, ofSecret = "old/values", "kv/data/secret"

// readerSeed has both versions of KV, and a user who reads them afterwards.
const readerSeed = `
secrets:
  - {type: kv, path: old, options: {version: "1"}}
  - {type: kv, path: kv, options: {version: "2"}}
policies:
  - name: reader
    rules: |
      path "old/*" { capabilities = ["read"] }
      path "kv/data/*" { capabilities = ["read"] }
auth:
  - type: userpass
    users: {reader: {password: %s, token_policies: [reader]}}
`

// TestScalarsReachVault writes every kind of scalar into the values of the chart, and into a Secret
// beside it, and reads from Vault what came of them. Another run finds nothing to change, although
// version 2 of KV does not return numbers as they were written.
func TestScalarsReachVault(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.installVault()
	const password = "0123-reads-the-scalars"
	testbed.NoteSecrets(t, password)
	file := filepath.Join(t.TempDir(), "more.yaml")
	if err := os.WriteFile(file, []byte(scalarSeed(ofSecret)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.kubectl("create", "secret", "generic", "ours", "--from-file="+file)
	values := "mode: hook\nvault: {scheme: http, replicas: 1}\nseed:\n  secrets: [ours]\n  files:\n    seed.yaml: |\n" +
		indent(indent(indent(auditToStdout+fmt.Sprintf(readerSeed, password)+scalarSeed(ofValues))))
	s.release("install", values, "--wait")
	s.wantHardened(1)

	var login struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	if err := s.ask(t.Context(), "vault-0", request{http.MethodPut, "auth/userpass/login/reader", "", map[string]string{"password": password}}, &login); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, login.Auth.ClientToken)
	read := func(path string, data any) {
		t.Helper()
		answer := struct{ Data any }{data}
		if err := s.ask(t.Context(), "vault-0", request{http.MethodGet, path, login.Auth.ClientToken, nil}, &answer); err != nil {
			t.Fatal(err)
		}
	}
	var fromValues map[string]json.RawMessage
	read(ofValues, &fromValues)
	wantScalars(t, ofValues, fromValues, func(text string) string { return text })
	var fromSecret struct{ Data map[string]json.RawMessage }
	read(ofSecret, &fromSecret)
	wantScalars(t, ofSecret, fromSecret.Data, func(text string) string { return rounded(t, text) })

	before := len(s.written(1))
	s.kubectl("create", "job", "--from=cronjob/vault-bootstrap", "again")
	s.jobDone("again")
	if got := s.written(1)[before:]; len(got) > 0 {
		t.Errorf("run again, it wrote %v", got)
	}
	s.refusesNothing(values)
}

// wantScalars checks what Vault returns of the scalars, and that it returns nothing else.
func wantScalars(t *testing.T, path string, got map[string]json.RawMessage, shown func(string) string) {
	t.Helper()
	for _, each := range scalars {
		value, there := got[each.key]
		delete(got, each.key)
		if want := shown(each.held(t)); !there || string(value) != want {
			t.Errorf("%s: %q became %s, want %s", path, each.written, value, want)
		}
	}
	if left := slices.Collect(maps.Keys(got)); len(left) > 0 {
		t.Errorf("%s: nobody has written %q", path, left)
	}
}

// rounded is a value as version 2 of KV returns it: with numbers as Go's floating point has them
// (Vault 1.21.1, whoever wrote them).
func rounded(t *testing.T, text string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(again)
}

// held is the value as Vault's JSON has it.
func (c scalar) held(t *testing.T) string {
	t.Helper()
	if c.json != "" {
		return c.json
	}
	text, err := json.Marshal(c.text)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// refusesNothing adds a value that says nothing, in each way that YAML has: it could be a text, or
// mean that the key is to go. The run ends with the line and the column, and has written nothing.
func (s *site) refusesNothing(values string) {
	s.t.Helper()
	before := len(s.written(1))
	empty := "      secretsOnce:\n        - path: kv/nothing\n          data: {a: null, b: ~, c: , d: Null}\n"
	args := []string{"-n", s.namespace, "upgrade", "bootstrap", shipped(chartPath), "--wait", "--timeout=2m"}
	if out, err := cluster.Helm(s.t.Context(), append(args, s.valueFiles(values+empty)...)...); err == nil {
		s.t.Errorf("the upgrade has succeeded: %s", out)
	}
	logs := s.kubectl("logs", "job/vault-bootstrap")
	line := strings.Count(values[strings.Index(values, "seed.yaml: |\n"):], "\n") + 2
	if got := strings.Count(logs, fmt.Sprintf("seed.yaml:%d:", line)); got != 4 {
		s.t.Errorf("the run names line %d %d times, want each of the four values:\n%s", line, got, logs)
	}
	for _, pod := range s.podsOf("job-name=vault-bootstrap") {
		if ended := pod.Status.ContainerStatuses[0].State.Terminated; ended == nil || ended.ExitCode != 65 {
			s.t.Errorf("%s has ended with %+v", pod.Name, ended)
		}
	}
	if got := s.written(1)[before:]; len(got) > 0 {
		s.t.Errorf("it wrote %v", got)
	}
}
