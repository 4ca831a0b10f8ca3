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
	wideFound = 64
	wideValue = 40
	wideText  = 96
)

func (r Report) table(w io.Writer) error {
	rows := plain()
	rows.AppendHeader(table.Row{"STATUS", "SEVERITY", "CONTROL", "FOUND", "VALUE"})
	for _, result := range r.Sorted() {
		rows.AppendRow(table.Row{statusText(result), result.Severity.String(), result.ID, foundText(result), result.Value})
	}
	out := &strings.Builder{}
	fmt.Fprintf(out, "%s, %s, profile %s\n\n%s\n", r.Address, r.Product, r.Profile, rows.Render())
	for _, result := range r.Sorted() {
		if !result.Failed() {
			continue
		}
		fmt.Fprintf(out, "\n%s %s\n", result.ID, result.Status)
		fmt.Fprintln(out, indent("wanted", result.Name+"."))
		fmt.Fprintln(out, indent("why", result.Why))
		fmt.Fprintln(out, indent("remedy", result.Remedy))
		if fix := fixText(result); fix != "" {
			fmt.Fprintln(out, indent("fix", fix))
		}
		for _, each := range result.Expired {
			fmt.Fprintln(out, indent("expired", fmt.Sprintf("%s (until %s)", each.Reason, each.LastDay())))
		}
		waivers(out, result)
	}
	for _, result := range r.Sorted() {
		if result.Status == harden.Declared {
			fmt.Fprintf(out, "\n%s is declared in the seed\n", result.ID)
			waivers(out, result)
		}
	}
	c := r.Count()
	fmt.Fprintf(out, "\n%s %d hold, %d fail, %d unknown, %d accepted, %d declared in the seed, %d do not apply.\n", r.Verdict(), c.Holds, c.Fails, c.Unknown, c.Accepted, c.Declared, c.Inapplicable)
	if !r.Deep {
		fmt.Fprintln(out, "Tokens were not checked: --deep does.")
	}
	fmt.Fprintf(out, "No API shows %d more points: -o html and docs/controls.md say how to check them by hand.\n", len(r.ByHand))
	_, err := io.WriteString(w, out.String())
	return err
}

// waivers writes what the seed declares, and where.
func waivers(out io.Writer, result harden.Result) {
	for _, waiver := range result.Declared {
		_, _ = fmt.Fprintln(out, indent("seed", waiverText(waiver)))
	}
}

func statusText(result harden.Result) string {
	if result.Failed() && !result.Required {
		return string(result.Status) + " (advice)"
	}
	return string(result.Status)
}

// foundText is what was found, with what is to blame.
func foundText(result harden.Result) string {
	found := result.Seen
	if blamed := result.Blamed(); blamed != "" {
		found += ": " + blamed
	}
	if result.ActiveOnly {
		found += " (active node)"
	}
	return found
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
	writer.SetColumnConfigs([]table.ColumnConfig{
		{Number: 4, WidthMax: wideFound, WidthMaxEnforcer: text.WrapSoft}, {Number: 5, WidthMax: wideValue, WidthMaxEnforcer: text.WrapSoft},
	})
	return writer
}
