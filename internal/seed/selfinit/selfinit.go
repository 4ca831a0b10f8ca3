// Package selfinit writes objects as stanzas of OpenBao's configuration, by which a server makes
// them when it initializes itself, before anybody has a token for it.
//
// It knows what such a stanza looks like, and neither which objects are worth one nor how Vault is
// reached.
package selfinit

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Stanza returns the stanza 'initialize' that makes objects, in their order, for OpenBao 2.4 and
// later. name is what the stanza is called. It fails if a value must not be shown, or is not known
// before Vault runs: a server's configuration is plain text.
func Stanza(name string, objects []object.Object) (string, error) {
	w := &writer{}
	w.line("initialize %s {", quote(identifier(name)))
	w.depth++
	names := map[string]int{}
	for _, o := range objects {
		if err := check(o); err != nil {
			return "", err
		}
		request := identifier(strings.TrimPrefix(string(o.ID), "sys/"))
		names[request]++
		if n := names[request]; n > 1 {
			request = fmt.Sprintf("%s-%d", request, n)
		}
		w.line("request %s {", quote(request))
		w.depth++
		w.line("operation = \"update\"")
		w.line("path      = %s", quote(o.WritePath()))
		w.line("data = {")
		w.depth++
		w.fields(value.Merged(fields(o), o.Traits.Extra))
		w.depth--
		w.line("}")
		w.depth--
		w.line("}")
	}
	w.depth--
	w.line("}")
	return w.text.String(), w.err
}

// check refuses an object that cannot be written down as it is.
func check(o object.Object) error {
	for name, v := range value.Merged(o.Data, o.Traits.Extra) {
		var problem string
		switch {
		case value.Pending(v):
			problem = "refers to something"
		case value.Hidden(v):
			problem = "is secret"
		default:
			continue
		}
		where := ""
		if o.Position.File != "" {
			where = o.Position.String() + ": "
		}
		return fault.Misuse(fmt.Errorf("%s%s: the field %q %s, and the configuration of a server is plain text", where, o.ID, name, problem),
			"Choose a login without such a field. Or write the value into the seed, if it is not secret.")
	}
	return nil
}

// fields returns the fields of an object that matter for its creation. A mount's other settings are
// tuned by the first run.
func fields(o object.Object) map[string]any {
	if !o.IsMount() {
		return o.Data
	}
	kept := map[string]any{}
	for _, name := range []string{"type", "description", "options"} {
		if v, there := o.Data[name]; there {
			kept[name] = v
		}
	}
	return kept
}

// notName are the characters that the name of a stanza may not have.
var notName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// identifier returns text as the name of a stanza: letters, digits, '_' and '-', and no digit or '-'
// at the beginning.
func identifier(text string) string {
	name := notName.ReplaceAllString(text, "-")
	if name == "" || strings.ContainsRune("0123456789-", rune(name[0])) {
		name = "_" + name
	}
	return name
}

// writer writes HCL of version 1, which is what OpenBao reads.
type writer struct {
	text  strings.Builder
	depth int
	err   error
}

func (w *writer) line(format string, args ...any) {
	w.text.WriteString(strings.Repeat("  ", w.depth))
	fmt.Fprintf(&w.text, format, args...)
	w.text.WriteByte('\n')
}

// fields writes the fields of a mapping, by name.
func (w *writer) fields(all map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w.field(quote(name), all[name])
	}
}

func (w *writer) field(name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		w.line("%s = {", name)
		w.depth++
		w.fields(v)
		w.depth--
		w.line("}")
	case []any:
		items := make([]string, len(v))
		for i, each := range v {
			items[i] = w.scalar(each)
		}
		w.line("%s = [%s]", name, strings.Join(items, ", "))
	case string:
		if strings.HasSuffix(v, "\n") && !slices.Contains(strings.Split(v, "\n"), end) && !strings.Contains(v, "\r") {
			w.heredoc(name, v)
			return
		}
		w.line("%s = %s", name, w.scalar(v))
	default:
		w.line("%s = %s", name, w.scalar(v))
	}
}

// end is the line that ends a text of several lines.
const end = "EOT"

// heredoc writes a text of whole lines as it is: nothing in it is special.
func (w *writer) heredoc(name, text string) {
	w.line("%s = <<%s", name, end)
	w.text.WriteString(text)
	w.text.WriteString(end + "\n")
}

// scalar returns a value that is no mapping and no list.
func (w *writer) scalar(v any) string {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "${") {
			w.err = errors.Join(w.err, fault.Misuse(fmt.Errorf("the value %q holds '${', which begins an expression there", v), "Write it without."))
		}
		return quote(v)
	case bool:
		return fmt.Sprint(v)
	default:
		text, ok := value.ScalarText(v)
		if !ok {
			w.err = errors.Join(w.err, fault.Misuse(fmt.Errorf("a list holds %T", v), "Only texts, numbers and booleans can be written into a list of a stanza."))
		}
		return quote(text) // a number as text: Vault converts it, and HCL would round it
	}
}

// quote returns a text of one line in quotes, by the rules of HCL 1, which are those of Go for what
// is printable.
func quote(text string) string {
	replaced := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(text)
	return `"` + replaced + `"`
}
