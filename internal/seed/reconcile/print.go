package reconcile

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
)

// Print writes the plan for people: what is created (+), updated (~), deleted (-) and refused (!),
// field by field, old → new. Sensitive values are only named as such, and control characters are
// escaped.
func (p *Plan) Print(w io.Writer) error {
	var b strings.Builder
	unseen, blind := 0, 0
	for _, c := range p.Changes {
		unseen, blind = unseen+len(c.Unseen), blind+len(c.Blind)
		if c.Action != None {
			c.print(&b)
		}
	}
	for _, s := range p.Sealed {
		fmt.Fprintf(&b, "! the namespace %s is sealed: %d objects in it were not compared\n    %s\n", escape(s.Namespace), s.Objects, unsealRemedy)
	}
	for _, r := range p.Refusals {
		fmt.Fprintf(&b, "! %s  (%s)\n    %s\n    %s\n", r.Object.ID, r.Object.Position, r.Reason, r.Remedy)
		for _, line := range lines(r.Stanza) {
			fmt.Fprintf(&b, "      %s\n", escape(line))
		}
	}
	for _, f := range p.Fixes {
		if f.Call == "" {
			fmt.Fprintf(&b, "? control %s: not known whether it is to be fixed\n    %s\n", f.Control, escape(f.Seen))
			continue
		}
		fmt.Fprintf(&b, "~ control %s: %s\n    %s\n", f.Control, escape(f.Seen), escape(f.Call))
	}
	for _, l := range p.Left {
		fmt.Fprintf(&b, "  %s stays\n    %s\n", l.ID, l.Reason)
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "Plan: %s.\n", p.Summary())
	if unseen > 0 {
		fmt.Fprintf(&b, "Vault does not show %d of the values; they were compared by the keyed hash of what was applied last.\n", unseen)
	}
	if blind > 0 {
		fmt.Fprintf(&b, "Vault does not show %d of the values, and the key to compare them is not available: whether they changed is not known.\n", blind)
	}
	for _, warning := range p.Warnings {
		fmt.Fprintf(&b, "Warning: %s.\n", escape(strings.TrimSuffix(warning, ".")))
	}
	for _, note := range []string{p.NotCompared, p.Unproven} {
		if note != "" {
			fmt.Fprintf(&b, "Note: %s.\n", escape(note))
		}
	}
	if p.Ending != nil {
		fmt.Fprintln(&b, p.Ending.line())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c Change) print(b *strings.Builder) {
	if c.Action == Delete {
		fmt.Fprintf(b, "- %s  (no longer in the seed)\n", c.Object.ID)
		return
	}
	sign := "~"
	if c.Action == Create {
		sign = "+"
	}
	fmt.Fprintf(b, "%s %s  (%s)\n", sign, c.Object.ID, c.Object.Position)
	if c.ServerWide {
		b.WriteString("    ! The server has this in its root namespace only: the object will not be written\n")
	}
	if c.Unread() {
		b.WriteString("    ? Not compared: our login may read it once its policy has grown\n")
	}
	for _, name := range c.Unknown {
		fmt.Fprintf(b, "    ! Vault does not recognize the field %s: the object will not be written\n", name)
	}
	for _, f := range c.Fields {
		switch {
		case f.Sensitive && c.Action == Create:
			fmt.Fprintf(b, "    %s = (sensitive)\n", f.Field)
		case f.Sensitive:
			fmt.Fprintf(b, "    %s: (sensitive, changed)\n", f.Field)
		case c.ofOurs():
			for _, line := range c.lost() {
				fmt.Fprintf(b, "      - %s\n", escape(line))
			}
			for _, line := range c.gained() {
				fmt.Fprintf(b, "      + %s\n", escape(line))
			}
		case multiline(f.Old) || multiline(f.New):
			fmt.Fprintf(b, "    %s:\n", f.Field)
			lineDiff(b, f.Old, f.New)
		case c.Action == Create:
			fmt.Fprintf(b, "    %s = %s\n", f.Field, show(f.New))
		default:
			fmt.Fprintf(b, "    %s: %s → %s\n", f.Field, show(f.Old), show(f.New))
		}
	}
}

// ofOurs reports whether c is about a policy of this program's own, whose rules are shown one by one.
func (c Change) ofOurs() bool {
	return c.Object.Endpoint == "policy" && c.Object.Position.File == "" && c.Action != Delete
}

// gained and lost return the rules that a policy of our own has after the change and before it alone.
func (c Change) gained() []string {
	return c.rulesOf(func(f FieldChange) (has, not any) { return f.New, f.Old })
}
func (c Change) lost() []string {
	return c.rulesOf(func(f FieldChange) (has, not any) { return f.Old, f.New })
}

func (c Change) rulesOf(sides func(FieldChange) (has, not any)) []string {
	if !c.ofOurs() {
		return nil
	}
	var rules []string
	for _, f := range c.Fields {
		has, not := sides(f)
		text, _ := has.(string)
		other, _ := not.(string)
		known := acl.Lines(other)
		for _, line := range acl.Lines(text) {
			if !slices.Contains(known, line) {
				rules = append(rules, line)
			}
		}
	}
	return rules
}

// show returns value as JSON: quoted, escaped and with mappings in a fixed order.
func show(value any) string {
	if value == nil {
		return "(none)"
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "(not shown)"
	}
	return escape(strings.TrimSpace(b.String()))
}

func multiline(value any) bool {
	text, _ := value.(string)
	return strings.Contains(strings.TrimSpace(text), "\n")
}

// lineDiff writes the lines that differ: all between the common first and last lines.
func lineDiff(b *strings.Builder, before, after any) {
	older, newer := lines(before), lines(after)
	for len(older) > 0 && len(newer) > 0 && older[0] == newer[0] {
		older, newer = older[1:], newer[1:]
	}
	for len(older) > 0 && len(newer) > 0 && older[len(older)-1] == newer[len(newer)-1] {
		older, newer = older[:len(older)-1], newer[:len(newer)-1]
	}
	for _, line := range older {
		fmt.Fprintf(b, "      - %s\n", escape(line))
	}
	for _, line := range newer {
		fmt.Fprintf(b, "      + %s\n", escape(line))
	}
}

// lines returns the lines of a trimmed text.
func lines(value any) []string {
	text, _ := value.(string)
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// escape keeps a text from controlling the terminal.
func escape(line string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			return '\uFFFD'
		}
		return r
	}, line)
}
