package explain

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	hardenreport "github.com/vault-bootstrap/vault-bootstrap/internal/harden/report"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/fields"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
)

// Keys returns a topic for each key of the seed's language.
func Keys() Topics {
	var topics Topics
	rows := lang.Rows()
	for _, row := range rows {
		var b strings.Builder
		fmt.Fprintf(&b, "%s.\n\n- Kind: %s", sentence(row.About), row.Kind)
		if row.Required {
			b.WriteString(", required")
		}
		b.WriteByte('\n')
		if len(row.Values) > 0 {
			fmt.Fprintf(&b, "- One of: %s\n", strings.Join(row.Values, ", "))
		}
		if row.Example != "" {
			name := row.Path[strings.LastIndexByte(row.Path, '.')+1:]
			fmt.Fprintf(&b, "\n    %s: %s\n", name, row.Example)
		}
		inner := ""
		for _, below := range rows {
			if rest, is := strings.CutPrefix(below.Path, strings.TrimSuffix(row.Path, "…")+"."); is && !strings.Contains(rest, ".") {
				inner += fmt.Sprintf("- %s: %s\n", rest, below.About)
			}
		}
		if inner != "" {
			b.WriteString("\nKeys in it:\n\n" + inner)
		}
		if row.Open {
			b.WriteString("\nOther keys are Vault's own fields.\n")
		}
		topics = append(topics, Topic{Name: row.Path, Kind: Key, About: row.About, Text: b.String(), inner: strings.Contains(row.Path, ".")})
	}
	return topics
}

// sentence begins a text with a capital letter.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// Engines returns a topic for each engine whose fields are known, and for each of its endpoints.
func Engines() (Topics, error) {
	table, err := fields.Read()
	if err != nil {
		return nil, err
	}
	from := "Vault " + table.Versions[fields.Vault]
	if version := table.Versions[fields.OpenBao]; version != "" {
		from += " and OpenBao " + version
	}
	var topics Topics
	for i, endpoint := range table.Endpoints {
		if i == 0 || table.Endpoints[i-1].Engine != endpoint.Engine {
			topics = append(topics, Topic{Name: endpoint.Engine, Kind: Engine, About: "the paths below its mount", Text: "The paths below its mount that take fields; + stands for a name.\n\n"})
		}
		engine := len(topics) - 1
		for topics[engine].Name != endpoint.Engine {
			engine--
		}
		name := endpoint.Engine + "/" + endpoint.Path
		topics[engine].Text += "- " + name + "\n"
		var b strings.Builder
		for _, field := range endpoint.Fields {
			fmt.Fprintf(&b, "- %s: %s\n", field.Name, kindText(field))
		}
		fmt.Fprintf(&b, "\nFrom what %s say of themselves.\n", from)
		topics = append(topics, Topic{Name: name, Kind: Engine, About: "fields of " + name, Text: b.String(), inner: true})
	}
	return topics, nil
}

// kindText says what each product makes of a field.
func kindText(field fields.Field) string {
	vault, bao := columnText(field.Columns[fields.Vault]), columnText(field.Columns[fields.OpenBao])
	switch {
	case vault == bao:
		return vault
	case vault == "-":
		return bao + " (OpenBao only)"
	case bao == "-":
		return vault + " (Vault only)"
	}
	return vault + ", on OpenBao " + bao
}

func columnText(column fields.Column) string {
	return strings.ReplaceAll(strings.ReplaceAll(column.String(), "=", ", one of "), "|", " ")
}

// Controls returns a topic for each control: its section of the page that is made of them.
func Controls() (Topics, error) {
	var page strings.Builder
	if err := hardenreport.Reference(&page); err != nil {
		return nil, err
	}
	sections := Sections(page.String(), "### ")
	var topics Topics
	for _, control := range harden.Controls() {
		text := fmt.Sprintf("%s\n- Severity: %s\n- Required by: %s\n", strings.TrimSpace(sections[control.ID]), control.Severity, control.Profile)
		topics = append(topics, Topic{Name: control.ID, Kind: Control, About: control.Name, Text: text})
	}
	return topics, nil
}

// Sections returns the sections of a page by their headings, which begin with the mark, such as '## '.
func Sections(page, mark string) map[string]string {
	sections := map[string]string{}
	for _, part := range strings.Split("\n"+page, "\n"+mark)[1:] {
		heading, text, _ := strings.Cut(part, "\n")
		text, _, _ = strings.Cut("\n"+text, "\n"+mark[1:]) // a heading above it ends it
		sections[heading] = strings.TrimSpace(text)
	}
	return sections
}

var row = regexp.MustCompile("(?m)^\\| \\[`.*\\|$")
var named = regexp.MustCompile("\\[`([^`]+)`\\]\\(#")

// Errors returns a topic for each name of the runbook's table, with the section of that name, and one for
// the reason of the Event about it.
func Errors(runbook string, reasonOf func(name string) string) Topics {
	head, _, _ := strings.Cut(runbook, "\n## Before you begin\n")
	sections := Sections(runbook, "## ")
	var topics Topics
	for _, line := range row.FindAllString(head, -1) {
		cells := strings.SplitN(strings.Trim(line, "| "), " | ", 2)
		for _, match := range named.FindAllStringSubmatch(cells[0], -1) {
			name := match[1]
			topics = append(topics, Topic{Name: name, Kind: Terminal, About: cells[1], Text: sections[name]},
				Topic{Name: reasonOf(name), Kind: Event, About: "about " + name, Text: fmt.Sprintf("A run or a watch has met %q: %s.\n\n%s", name, cells[1], sections[name])})
		}
	}
	return topics
}

// Reasons returns a topic for each other reason of an Event: the section of the page about them.
func Reasons(page string, reasons []string) Topics {
	text := Sections(page, "## ")["Events, and kubectl"]
	var topics Topics
	for _, reason := range reasons {
		topics = append(topics, Topic{Name: reason, Kind: Event, About: "an Event of a run or a watch", Text: text})
	}
	return topics
}
