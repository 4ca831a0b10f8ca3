package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// Reference writes the part of docs/controls.md that is generated from the table of controls.
func Reference(w io.Writer) error {
	out := &strings.Builder{}
	out.WriteString("| control | severity | required by | fix | what is wanted |\n| --- | --- | --- | --- | --- |\n")
	for _, control := range harden.Controls() {
		fix := ""
		if control.Fix != nil {
			fix = "yes"
		}
		fmt.Fprintf(out, "| [`%s`](#%s) | %s | %s | %s | %s |\n", control.ID, control.ID, control.Severity, control.Profile, fix, control.Name)
	}
	for _, control := range harden.Controls() {
		fmt.Fprintf(out, "\n### %s\n%s", control.ID, control.Name+". "+control.Why+"\n\n")
		fmt.Fprintf(out, "- How it is checked: %s%s\n", control.How, remarks(control))
		fmt.Fprintf(out, "- Remedy: %s\n", control.Remedy)
		if control.OnOpenBao != "" {
			fmt.Fprintf(out, "- Remedy on OpenBao: %s\n", control.OnOpenBao)
		}
		if control.Fix != nil {
			fmt.Fprintf(out, "- Fix: with `fix: [%s]`; our policy then grants %s.\n", control.ID, grants(control.FixGrants))
		}
		if judged := harden.JudgedFields(control.ID); judged.Where != "" {
			fmt.Fprintf(out, "- Can be declared in the seed: %s.%s\n", judged.Where, strictly(control))
		} else {
			fmt.Fprintf(out, "- Cannot be declared in the seed: %s.\n", judged.Why)
		}
		if reads := harden.Reads(control.Groups...); len(reads) > 0 {
			fmt.Fprintf(out, "- Needs: %s.\n", grants(reads))
		}
		if reads := harden.ReadsElsewhere(control.Groups...); len(reads) > 0 {
			fmt.Fprintf(out, "- Needs on some products and versions: %s.\n", grants(reads))
		}
		fmt.Fprintf(out, "- Source: <%s>\n", control.Source)
	}
	out.WriteString("\n## Not checkable here\nNo API shows these points.\n\n| what is wanted | how to check it by hand |\n| --- | --- |\n")
	for _, each := range harden.ByHand(product.Product{}) {
		fmt.Fprintf(out, "| %s | %s |\n", each.Name, each.How)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// strictly says what the profile strict wants of what the seed declares.
func strictly(control harden.Control) string {
	if (harden.Rules{Profile: harden.Strict}).TakesDeclared(control) {
		return ""
	}
	return " The profile `strict` wants an exception for it."
}

func remarks(control harden.Control) string {
	text := ""
	if control.ActiveOnly {
		text += " Vault reports it for the active node only."
	}
	if control.Deep {
		text += " Only with `--deep`."
	}
	return text
}

func grants(list []harden.Grant) string {
	texts := make([]string, len(list))
	for i, grant := range list {
		texts[i] = fmt.Sprintf("%s on `%s`", strings.Join(grant.Capabilities, "+"), grant.Path)
	}
	return strings.Join(texts, ", ")
}
