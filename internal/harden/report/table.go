package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

// The widths at which cells of the table wrap.
const (
	wideSeen = 70
	wideText = 96
)

// shownObjects is how many objects a line names.
const shownObjects = 4

func (r Report) table(w io.Writer) error {
	rows := plain()
	rows.AppendHeader(table.Row{"STATUS", "SEVERITY", "CONTROL", "SEEN"})
	for _, result := range r.Sorted() {
		rows.AppendRow(table.Row{statusText(result), result.Severity.String(), result.ID, seenText(result)})
	}
	out := &strings.Builder{}
	fmt.Fprintf(out, "%s, %s, profile %s\n\n%s\n", r.Address, r.Product, r.Profile, rows.Render())
	for _, result := range r.Sorted() {
		if !result.Failed() {
			continue
		}
		fmt.Fprintf(out, "\n%s: %s\n", result.ID, result.Name)
		fmt.Fprintln(out, indent("why", result.Why))
		fmt.Fprintln(out, indent("remedy", result.Remedy))
		if fix := fixText(result); fix != "" {
			fmt.Fprintln(out, indent("fix", fix))
		}
	}
	c := r.Count()
	fmt.Fprintf(out, "\n%s %d hold, %d fail, %d unknown, %d accepted, %d do not apply.\n", r.Verdict(), c.Holds, c.Fails, c.Unknown, c.Accepted, c.Inapplicable)
	if !r.Deep {
		fmt.Fprintln(out, "Tokens were not checked: --deep does.")
	}
	fmt.Fprintf(out, "No API shows %d more points: -o html and docs/controls.md say how to check them by hand.\n", len(r.ByHand))
	_, err := io.WriteString(w, out.String())
	return err
}

func statusText(result harden.Result) string {
	if result.Failed() && !result.Required {
		return string(result.Status) + " (advice)"
	}
	return string(result.Status)
}

func seenText(result harden.Result) string {
	seen := result.Seen
	if objects := result.Objects; len(objects) > 0 {
		shown := objects[:min(len(objects), shownObjects)]
		more := ""
		if rest := len(objects) - len(shown); rest > 0 {
			more = fmt.Sprintf(" and %d more", rest)
		}
		seen += " (" + strings.Join(shown, ", ") + more + ")"
	}
	if result.ActiveOnly {
		seen += " (active node)"
	}
	return seen
}

func indent(label, words string) string {
	lines := strings.Split(text.WrapSoft(words, wideText), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ") // it pads
	}
	return fmt.Sprintf("  %-7s %s", label, strings.Join(lines, "\n          "))
}

func plain() table.Writer {
	writer := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	writer.SetStyle(style)
	writer.SuppressTrailingSpaces()
	writer.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: wideSeen, WidthMaxEnforcer: text.WrapSoft}})
	return writer
}
