package value

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Template is a scalar that refers to something outside of the seed. It stays as
// written until Objects resolves what this machine knows, and a plan what Vault knows.
type Template struct {
	At     Position
	Source string
	Parts  []Part
	// Secret is set once a part that must not be shown has become text.
	Secret bool
}

// Part is a piece of text, or a call when call is not empty.
type Part struct {
	Text string
	Call string
	Args []string
}

// The functions of the language, and those that only this package writes.
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

// ParseText returns text as it stands when it calls nothing, and a template
// otherwise. "$${" stands for a literal "${".
func ParseText(text string, at Position) (any, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	return parseTemplate(text, at)
}

// Reference returns a value that is nothing but one call.
func Reference(call string, at Position, args ...string) Template {
	return Template{At: at, Source: call + " " + strings.Join(args, " "), Parts: []Part{{Call: call, Args: args}}}
}

// Local reports whether a call can be answered without Vault.
func (p Part) Local() bool {
	switch p.Call {
	case "", CallEnv, CallFile, CallSecret, CallConfigMap:
		return true
	}
	return false
}

// Shows reports whether what a call brings may be shown: IDs that Vault makes up.
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

// Calls returns what t refers to; with hide without the text around it, which may be the
// beginning of a password.
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

// Generator is a value that is made up when it is first written.
type Generator struct {
	Length   int
	Alphabet string
	// Policy is the name of a password policy of Vault, in the place of the others.
	Policy string
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

// EachGenerator calls visit for every value that is to be made up.
func EachGenerator(value any, visit func(Generator)) {
	switch value := value.(type) {
	case Generator:
		visit(value)
	case map[string]any:
		for _, inner := range value {
			EachGenerator(inner, visit)
		}
	case []any:
		for _, inner := range value {
			EachGenerator(inner, visit)
		}
	}
}

// Pending reports whether value holds a reference or something yet to be made.
func Pending(value any) bool {
	switch value := value.(type) {
	case Template, Generator:
		return true
	case map[string]any:
		for _, inner := range value {
			if Pending(inner) {
				return true
			}
		}
	case []any:
		for _, inner := range value {
			if Pending(inner) {
				return true
			}
		}
	}
	return false
}

// Hidden reports whether value holds anything that must not be shown.
func Hidden(value any) bool {
	switch value := value.(type) {
	case secret.Value, Generator:
		return true
	case Template:
		return value.Secret || slices.ContainsFunc(value.Parts, func(p Part) bool { return !p.Shows() })
	case map[string]any:
		for _, inner := range value {
			if Hidden(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, Hidden)
	}
	return false
}

// Reveal returns value with every secret as its text. The result goes to Vault or
// into a comparison, never into an output.
func Reveal(value any) any {
	switch value := value.(type) {
	case secret.Value:
		return value.Reveal()
	case Template, Generator:
		return unknownYet
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, inner := range value {
			out[name] = Reveal(inner)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, inner := range value {
			out[i] = Reveal(inner)
		}
		return out
	default:
		return value
	}
}

// unknownYet stands for what is known only when it is written.
const unknownYet = "(known after the run)"

// ScalarText returns value's text; ok is false for lists and mappings.
func ScalarText(value any) (text string, ok bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case bool, json.Number, int, int64, float64:
		return fmt.Sprint(value), true
	default:
		return "", false
	}
}

// ToText returns value's text, "" for lists and mappings.
func ToText(value any) string {
	text, _ := ScalarText(value)
	return text
}

// Dig returns what is under a dotted name; a name with dots in it comes first.
func Dig(fields map[string]any, name string) any {
	if value, there := fields[name]; there {
		return value
	}
	outer, inner, nested := strings.Cut(name, ".")
	deeper, isMap := fields[outer].(map[string]any)
	if !nested || !isMap {
		return nil
	}
	return Dig(deeper, inner)
}

// Merged returns a copy of fields with others put over it.
func Merged(fields, others map[string]any) map[string]any {
	out := make(map[string]any, len(fields)+len(others))
	for _, from := range []map[string]any{fields, others} {
		for name, value := range from {
			out[name] = value
		}
	}
	return out
}
