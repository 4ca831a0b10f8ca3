package seed

import (
	"bytes"
	"regexp"
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
