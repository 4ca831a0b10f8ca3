package reconcile

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// auditStanza returns an audit device as OpenBao's configuration declares it. Options are strings
// there: OpenBao 2.6 refuses others. What must not be shown, or is not known yet, is left out with a
// comment that says so.
func auditStanza(o object.Object) string {
	var b strings.Builder
	_, path := o.Table()
	fmt.Fprintf(&b, "audit %s %s {\n", quoted(o.Type), quoted(path))
	if description, given := o.Data["description"]; given {
		attribute(&b, "  ", "description", description)
	}
	if local, _ := o.Data["local"].(bool); local {
		b.WriteString("  local = true\n")
	}
	if options, _ := o.Data["options"].(map[string]any); len(options) > 0 {
		b.WriteString("  options = {\n")
		for _, name := range slices.Sorted(maps.Keys(options)) {
			attribute(&b, "    ", name, options[name])
		}
		b.WriteString("  }\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// identifier matches the names that HCL takes without quotes.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func attribute(b *strings.Builder, indent, name string, v any) {
	if !identifier.MatchString(name) {
		name = quoted(name)
	}
	if value.Hidden(v) || value.Pending(v) {
		fmt.Fprintf(b, "%s# %s = \"…\", the value that the seed refers to\n", indent, name)
		return
	}
	fmt.Fprintf(b, "%s%s = %s\n", indent, name, quoted(value.ToText(v)))
}

// quoted returns a text as a string of HCL.
func quoted(text string) string { return fmt.Sprintf("%q", text) }
