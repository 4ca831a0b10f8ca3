package lang

import (
	"fmt"
	"strings"
)

// kindNames are the names of kinds in the reference.
var kindNames = map[kind]string{
	text: "name", prose: "text", proseOrTruth: "value", truth: "truth", duration: "duration", words: "words", free: "free",
	one: "mapping", many: "list", named: "list or mapping", children: "children",
}

// Reference returns the reference of the language as Markdown, generated from the table that the
// parser uses: a section for each mapping with its own keys.
func Reference() string {
	var b strings.Builder
	section(&b, "Top level", "", language(), false)
	return b.String()
}

func section(b *strings.Builder, title, about string, keys []key, open bool) {
	fmt.Fprintf(b, "### %s\n\n", title)
	if about != "" {
		fmt.Fprintf(b, "%s\n\n", sentence(about))
	}
	b.WriteString("| key | kind | |\n| --- | --- | --- |\n")
	for _, k := range keys {
		name, kind, about := k.name, kindNames[k.kind], k.about
		if k.prefix {
			name += "…"
		}
		if k.required {
			kind += ", required"
		}
		if len(k.values) > 0 {
			about += "; one of `" + strings.Join(k.values, "`, `") + "`"
		}
		if k.example != "" {
			about += "; example: `" + k.example + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, kind, strings.ReplaceAll(about, "|", "\\|"))
	}
	if open {
		b.WriteString("\nOther keys are Vault's own fields.\n")
	}
	b.WriteString("\n")
	for _, k := range keys {
		if len(k.fields) == 0 || k.name == "namespaces" || k.name == "valueFrom" {
			continue
		}
		inner := title + " → " + k.name
		if title == "Top level" {
			inner = k.name
		}
		section(b, "`"+strings.ReplaceAll(inner, "`", "")+"`", k.about, k.fields, k.open || k.kind == children)
	}
}

// sentence turns a note into a sentence.
func sentence(text string) string {
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
