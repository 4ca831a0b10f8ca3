package value

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Template is a scalar that refers to something outside the seed. It stays as written until
// Seed.Objects resolves what this machine knows, and a plan resolves what Vault knows.
type Template struct {
	At     Position
	Source string
	Parts  []Part
	// Secret is set once a part that must not be shown has become text.
	Secret bool
}

// Part is a piece of text, or a call if Call is not empty.
type Part struct {
	Text string
	Call string
	Args []string
}

// The functions of the language, and those that only the program itself uses.
const (
	CallEnv       = "env"
	CallFile      = "file"
	CallAccessor  = "accessor"
	CallSecret    = "secretKeyRef"
	CallConfigMap = "configMapKeyRef"
	CallVault     = "vault"
	CallAnswer    = "answer"
	CallEntity    = "entity" // the ID of an entity by its name
	CallGroup     = "group"  // the ID of a group by its name
)

// Reference returns a value that consists of one call.
func Reference(call string, at Position, args ...string) Template {
	return Template{At: at, Source: call + " " + strings.Join(args, " "), Parts: []Part{{Call: call, Args: args}}}
}

// Local reports whether a call can be resolved without Vault.
func (p Part) Local() bool {
	switch p.Call {
	case "", CallEnv, CallFile, CallSecret, CallConfigMap:
		return true
	}
	return false
}

// Shows reports whether the result of a call may be shown: IDs that Vault generates.
func (p Part) Shows() bool {
	return p.Call == "" || p.Call == CallAccessor || p.Call == CallEntity || p.Call == CallGroup
}

// Joined returns the text of a template of texts.
func (t Template) Joined() any {
	var b strings.Builder
	for _, p := range t.Parts {
		b.WriteString(p.Text)
	}
	if t.Secret {
		return secret.New(b.String())
	}
	return b.String()
}

// Join returns the texts of list with a separator between them: a text or, if one of them refers to
// something, a Template. ok is false if one is a list or mapping.
func Join(list []any, separator string, at Position) (joined any, ok bool) {
	t, refers := Template{At: at}, false
	for i, item := range list {
		if i > 0 {
			t.Source, t.Parts = t.Source+separator, append(t.Parts, Part{Text: separator})
		}
		if inner, isTemplate := item.(Template); isTemplate {
			t.Source, t.Parts, t.Secret, refers = t.Source+inner.Source, append(t.Parts, inner.Parts...), t.Secret || inner.Secret, true
			continue
		}
		text, isText := ScalarText(item)
		if !isText {
			return nil, false
		}
		t.Source, t.Parts = t.Source+text, append(t.Parts, Part{Text: text})
	}
	if refers {
		return t, true
	}
	return t.Source, true
}

// WithoutAnswers returns the values sent with the source of those that were declared as references
// to answers.
func WithoutAnswers(declared, sent any) any {
	switch declared := declared.(type) {
	case Template:
		if slices.ContainsFunc(declared.Parts, func(p Part) bool { return p.Call == CallAnswer }) {
			return declared.Source
		}
	case map[string]any:
		of, _ := sent.(map[string]any)
		out := make(map[string]any, len(declared))
		for name, inner := range declared {
			out[name] = WithoutAnswers(inner, of[name])
		}
		return out
	case []any:
		of, _ := sent.([]any)
		out := make([]any, len(declared))
		for i, inner := range declared {
			if i < len(of) {
				out[i] = WithoutAnswers(inner, of[i])
			}
		}
		return out
	}
	return sent
}

// Calls returns what t refers to; with hide without the text around it, which may be part of a
// password.
func (t Template) Calls(hide bool) any {
	if !hide {
		return t.Source
	}
	var calls []string
	for _, p := range t.Parts {
		if p.Call != "" {
			calls = append(calls, p.Call+" "+strings.Join(p.Args, " "))
		}
	}
	return calls
}

// EachPart calls visit for every call in value.
func EachPart(value any, visit func(p Part, at Position)) {
	switch value := value.(type) {
	case Template:
		for _, p := range value.Parts {
			if p.Call != "" {
				visit(p, value.At)
			}
		}
	case map[string]any:
		for _, inner := range value {
			EachPart(inner, visit)
		}
	case []any:
		for _, inner := range value {
			EachPart(inner, visit)
		}
	}
}

// callForms gives the syntax of each function.
var callForms = []struct{ name, form string }{
	{CallEnv, `${ env "NAME" }`},
	{CallFile, `${ file "PATH" }`},
	{CallAccessor, `${ accessor "MOUNT" }`},
	{CallSecret, `${ secretKeyRef "NAME" "KEY" }`},
	{CallConfigMap, `${ configMapKeyRef "NAME" "KEY" }`},
	{CallVault, `${ vault "PATH" "FIELD" }`},
	{CallAnswer, `${ answer "REQUEST" "FIELD" }`},
}

// callForm is a call as bank-vaults writes it: a function and quoted arguments.
var callForm = regexp.MustCompile("^\\$\\{-?\\s*([A-Za-z]\\w*)((?:\\s+(?:\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`))+)\\s*-?\\}")

// variableForm is an environment variable as a Go template refers to it, which bank-vaults also
// allows.
var variableForm = regexp.MustCompile(`^\$\{-?\s*\.Env\.([A-Za-z_]\w*)\s*-?\}`)

// expressionForm matches other expressions of Go templates: nested calls, pipes, other data.
var expressionForm = regexp.MustCompile(`^\$\{-?\s*([.A-Za-z][.\w]*)\s[^}]*[(|.][^}]*\}`)

// argumentForm is one argument of a call.
var argumentForm = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`")

// parseTemplate parses text that contains "${". "$${" stands for a literal "${", so there may be no
// call in it.
func parseTemplate(text string, at Position) (any, error) {
	t := Template{At: at, Source: text}
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
		t.Parts = append(t.Parts, Part{Text: literal.String()}, call)
		literal.Reset()
		rest, calls = rest[length:], true
	}
	if !calls {
		return literal.String(), nil
	}
	t.Parts = append(t.Parts, Part{Text: literal.String()})
	return t, nil
}

// parseCall parses the call at the start of text, and returns its length.
func parseCall(text string) (Part, int, error) {
	if match := variableForm.FindStringSubmatch(text); match != nil {
		return Part{Call: CallEnv, Args: match[1:]}, len(match[0]), nil
	}
	match := callForm.FindStringSubmatch(text)
	if expression := expressionForm.FindStringSubmatch(text); match == nil && expression != nil {
		return Part{}, 0, fmt.Errorf("the reference that begins with %q is more than one call: nested calls, pipes and the other functions of Go templates are not supported; generate the text where the seed is built, and write ${ env \"NAME\" } or ${ file \"PATH\" }", expression[1])
	}
	if match == nil {
		return Part{}, 0, fmt.Errorf(`this reference is not understood: write ${ env "NAME" } or ${ file "PATH" }, and $${ for a literal ${`)
	}
	var args []string
	for _, quoted := range argumentForm.FindAllString(match[2], -1) {
		argument, err := strconv.Unquote(quoted)
		if err != nil {
			return Part{}, 0, fmt.Errorf("an argument of %s is not a quoted text", match[1])
		}
		args = append(args, argument)
	}
	p, err := newCall(match[1], args)
	return p, len(match[0]), err
}

// newCall checks a call of the language.
func newCall(name string, args []string) (Part, error) {
	if name == "blob" {
		return Part{}, fmt.Errorf("the reference function \"blob\" is not supported: put the object's content into a file and write ${ file \"PATH\" }")
	}
	i := slices.IndexFunc(callForms, func(f struct{ name, form string }) bool { return f.name == name })
	if i < 0 {
		names := make([]string, len(callForms))
		for j, f := range callForms {
			names[j] = f.name
		}
		return Part{}, fmt.Errorf("unknown reference function %q: the functions are %s", name, strings.Join(names, ", "))
	}
	if strings.Count(callForms[i].form, `"`) != 2*len(args) || slices.Contains(args, "") {
		return Part{}, fmt.Errorf("this reference is not understood: write %s", callForms[i].form)
	}
	return Part{Call: name, Args: args}, nil
}
