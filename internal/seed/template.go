package seed

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// template is a scalar that refers to something outside of the seed. It stays as
// written until Objects resolves what this machine knows, and a plan what Vault knows.
type template struct {
	at     Position
	source string
	parts  []part
	// secret is set once a part that must not be shown has become text.
	secret bool
}

// part is a piece of text, or a call when call is not empty.
type part struct {
	text string
	call string
	args []string
}

// The functions of the language, and those that only this package writes.
const (
	callEnv       = "env"
	callFile      = "file"
	callAccessor  = "accessor"
	callSecret    = "secretKeyRef"
	callConfigMap = "configMapKeyRef"
	callVault     = "vault"
	callAnswer    = "answer"
	callEntity    = "entity" // the ID of an entity by its name
	callGroup     = "group"  // the ID of a group by its name
)

// callForms says how each function is written.
var callForms = []struct{ name, form string }{
	{callEnv, `${ env "NAME" }`},
	{callFile, `${ file "PATH" }`},
	{callAccessor, `${ accessor "MOUNT" }`},
	{callSecret, `${ secretKeyRef "NAME" "KEY" }`},
	{callConfigMap, `${ configMapKeyRef "NAME" "KEY" }`},
	{callVault, `${ vault "PATH" "FIELD" }`},
	{callAnswer, `${ answer "REQUEST" "FIELD" }`},
}

// callForm is a call as bank-vaults writes it: a function and quoted arguments.
var callForm = regexp.MustCompile("^\\$\\{-?\\s*([A-Za-z]\\w*)((?:\\s+(?:\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`))+)\\s*-?\\}")

// variableForm is an environment variable as the data of a Go template has it, which
// bank-vaults allows, too.
var variableForm = regexp.MustCompile(`^\$\{-?\s*\.Env\.([A-Za-z_]\w*)\s*-?\}`)

// expressionForm is what else a Go template could be: nested calls, pipes, other data.
var expressionForm = regexp.MustCompile(`^\$\{-?\s*([.A-Za-z][.\w]*)\s[^}]*[(|.][^}]*\}`)

// argumentForm is one argument of a call.
var argumentForm = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`")

// reference returns a value that is nothing but one call.
func reference(call string, at Position, args ...string) template {
	return template{at: at, source: call + " " + strings.Join(args, " "), parts: []part{{call: call, args: args}}}
}

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
	if match := variableForm.FindStringSubmatch(text); match != nil {
		return part{call: callEnv, args: match[1:]}, len(match[0]), nil
	}
	match := callForm.FindStringSubmatch(text)
	if expression := expressionForm.FindStringSubmatch(text); match == nil && expression != nil {
		return part{}, 0, fmt.Errorf("the reference that begins with %q is more than one call: nested calls, pipes and the other functions of Go templates are not supported; have the text made where the seed is put together, and write ${ env \"NAME\" } or ${ file \"PATH\" }", expression[1])
	}
	if match == nil {
		return part{}, 0, fmt.Errorf(`this reference is not understood: write ${ env "NAME" } or ${ file "PATH" }, and $${ for a literal ${`)
	}
	var args []string
	for _, quoted := range argumentForm.FindAllString(match[2], -1) {
		argument, err := strconv.Unquote(quoted)
		if err != nil {
			return part{}, 0, fmt.Errorf("an argument of %s is not a quoted text", match[1])
		}
		args = append(args, argument)
	}
	p, err := newCall(match[1], args)
	return p, len(match[0]), err
}

// newCall checks a call of the language.
func newCall(name string, args []string) (part, error) {
	if name == "blob" {
		return part{}, fmt.Errorf("the reference function \"blob\" is not supported: have the object's content put into a file and write ${ file \"PATH\" }")
	}
	i := slices.IndexFunc(callForms, func(f struct{ name, form string }) bool { return f.name == name })
	if i < 0 {
		names := make([]string, len(callForms))
		for j, f := range callForms {
			names[j] = f.name
		}
		return part{}, fmt.Errorf("the reference function %q is unknown: there are %s", name, strings.Join(names, ", "))
	}
	if strings.Count(callForms[i].form, `"`) != 2*len(args) || slices.Contains(args, "") {
		return part{}, fmt.Errorf("this reference is not understood: write %s", callForms[i].form)
	}
	return part{call: name, args: args}, nil
}

// valueFrom reads a reference written as Kubernetes writes it in a container's env.
func (c clerk) valueFrom(e entry) (any, bool) {
	r := c.record(e.value, []key{
		{name: callSecret, kind: one, fields: referenceKeys()},
		{name: callConfigMap, kind: one, fields: referenceKeys()},
	}, false)
	if len(r.values) != 1 {
		c.problems.add(e.at, "valueFrom takes one of %s and %s", callSecret, callConfigMap)
		return nil, false
	}
	for call := range r.values {
		if ref := r.inner(call); ref.text("name") != "" && ref.text("key") != "" {
			return reference(call, e.at, ref.text("name"), ref.text("key")), true
		}
	}
	return nil, false
}

// local reports whether a call can be answered without Vault.
func (p part) local() bool {
	switch p.call {
	case "", callEnv, callFile, callSecret, callConfigMap:
		return true
	}
	return false
}

// shows reports whether what a call brings may be shown: IDs that Vault makes up.
func (p part) shows() bool {
	return p.call == "" || p.call == callAccessor || p.call == callEntity || p.call == callGroup
}
