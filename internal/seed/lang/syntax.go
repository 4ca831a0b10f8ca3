package lang

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// quotedCall matches a call with double-quoted arguments anywhere in a text; with another $ in
// front it is not a call.
var quotedCall = regexp.MustCompile(`\$?\$\{-?[ \t]*[A-Za-z]\w*(?:[ \t]+"[^"\\` + "`" + `\r\n]*")+[ \t]*-?\}`)

// backquoted puts the arguments of calls in backquotes, which mean the same. bank-vaults expands
// calls before it parses YAML, so its files, and its manual, have
//
//	password: "${env "DB_PASSWORD"}"
//
// which is not YAML. No byte moves, so positions in errors stay correct.
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
		return fmt.Sprintf(what+"a seed is the part below spec.externalConfig: kubectl get vault NAME -o jsonpath='{.spec.externalConfig}' > seed.yaml", kind)
	case "ConfigMap", "Secret":
		return fmt.Sprintf(what+"a seed is the value of one key of its data", kind)
	}
	return fmt.Sprintf(what+"a seed has none of apiVersion, kind and metadata", kind)
}

// lineInError finds the line in yaml.v3's messages: its errors carry no position.
var lineInError = regexp.MustCompile(`^yaml: line (\d+): `)

// tabIndent finds an indentation with a tab, which YAML forbids with an unhelpful error message.
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
