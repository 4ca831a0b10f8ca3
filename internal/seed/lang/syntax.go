package lang

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// quotedCall is a call with double-quoted arguments, wherever it stands in a text; with
// another $ in front it is none.
var quotedCall = regexp.MustCompile(`\$?\$\{-?[ \t]*[A-Za-z]\w*(?:[ \t]+"[^"\\` + "`" + `\r\n]*")+[ \t]*-?\}`)

// backquoted writes the arguments of calls in backquotes, which mean the same there.
// bank-vaults expands calls before it parses YAML, so its files, and its manual, have
//
//	password: "${env "DB_PASSWORD"}"
//
// which is not YAML. Every byte keeps its place, and so do the positions in errors.
func backquoted(content []byte) []byte {
	return quotedCall.ReplaceAllFunc(content, func(call []byte) []byte {
		if bytes.HasPrefix(call, []byte("$$")) {
			return call
		}
		return bytes.ReplaceAll(call, []byte{'"'}, []byte{'`'})
	})
}

// notASeed says what to do with a Kubernetes object instead.
func notASeed(kind string) string {
	const what = "this is a Kubernetes object of kind %q, not a seed; "
	switch kind {
	case "Vault":
		return fmt.Sprintf(what+"a seed is what it has below spec.externalConfig: kubectl get vault NAME -o jsonpath='{.spec.externalConfig}' > seed.yaml", kind)
	case "ConfigMap", "Secret":
		return fmt.Sprintf(what+"a seed is what stands below one key of its data", kind)
	}
	return fmt.Sprintf(what+"a seed has none of apiVersion, kind and metadata", kind)
}

// lineInError finds the line in yaml.v3's messages: its errors carry no position.
var lineInError = regexp.MustCompile(`^yaml: line (\d+): `)

// tabIndent finds an indentation with a tab, which YAML forbids and whose error
// message helps nobody.
var tabIndent = regexp.MustCompile(`(?m)^ *\t+ *[^\s#]`)

// syntax reports text that is not YAML.
func syntax(path string, content []byte, err error, problems *value.Problems) {
	at, message := value.Position{File: path, Line: 1}, strings.TrimPrefix(err.Error(), "yaml: ")
	if match := lineInError.FindStringSubmatch(err.Error()); match != nil {
		at.Line, _ = strconv.Atoi(match[1])
		message = strings.TrimPrefix(err.Error(), match[0])
	}
	if tab := tabIndent.FindIndex(content); tab != nil && strings.Contains(message, "cannot start any token") {
		line := 1 + bytes.Count(content[:tab[0]], []byte("\n"))
		column := 1 + bytes.IndexByte(content[tab[0]:], '\t')
		problems.Add(value.Position{File: path, Line: line, Column: column}, "indented with a tab; YAML allows spaces only")
		return
	}
	problems.Add(at, "not valid YAML: %s", message)
}
