package seed

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// template is a scalar that refers to something outside of the seed. It stays as
// written until Objects resolves it.
type template struct {
	at     Position
	source string
	parts  []part
}

// part is a piece of text, or a call when call is not empty.
type part struct {
	text     string
	call     string
	argument string
}

// callForm is a call as bank-vaults writes it: a function and one quoted argument.
var callForm = regexp.MustCompile("^\\$\\{-?\\s*([A-Za-z]\\w*)\\s+(\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`)\\s*-?\\}")

// laterCalls are functions of the full language.
var laterCalls = []string{"accessor", "secretKeyRef", "configMapKeyRef", "vault", "blob"}

// parseText returns text as it stands when it calls nothing, and a template
// otherwise. "$${" stands for a literal "${".
func parseText(text string, at Position) (any, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	t := template{at: at, source: text}
	var literal strings.Builder
	calls := false
	for rest := text; rest != ""; {
		if strings.HasPrefix(rest, "$${") {
			literal.WriteString("${")
			rest = rest[3:]
			continue
		}
		if !strings.HasPrefix(rest, "${") {
			literal.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		call, length, err := parseCall(rest)
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, part{text: literal.String()}, call)
		literal.Reset()
		rest, calls = rest[length:], true
	}
	if !calls {
		return literal.String(), nil
	}
	t.parts = append(t.parts, part{text: literal.String()})
	return t, nil
}

// parseCall reads the call that text begins with, and says how long it is.
func parseCall(text string) (part, int, error) {
	match := callForm.FindStringSubmatch(text)
	if match == nil {
		return part{}, 0, fmt.Errorf(`this reference is not understood: write ${ env "NAME" } or ${ file "PATH" }, and $${ for a literal ${`)
	}
	argument, err := strconv.Unquote(match[2])
	if err != nil {
		return part{}, 0, fmt.Errorf("the argument of %s is not a quoted text", match[1])
	}
	switch name := match[1]; name {
	case "env", "file":
		if argument == "" {
			return part{}, 0, fmt.Errorf("%s needs a name", name)
		}
		return part{call: name, argument: argument}, len(match[0]), nil
	default:
		for _, later := range laterCalls {
			if name == later {
				return part{}, 0, fmt.Errorf("the reference ${ %s … } is not supported yet by this version", name)
			}
		}
		return part{}, 0, fmt.Errorf("the reference function %q is unknown: there are env and file", name)
	}
}
