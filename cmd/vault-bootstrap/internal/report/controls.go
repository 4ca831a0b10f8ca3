package report

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

// WriteControls lists all controls.
func WriteControls(w io.Writer) error {
	rows := newTable()
	rows.AppendHeader(table.Row{"CONTROL", "SEVERITY", "REQUIRED BY", "FIX", "WANTED"})
	for _, control := range harden.Controls() {
		fix := ""
		if control.Fix != nil {
			fix = "yes"
		}
		rows.AppendRow(table.Row{control.ID, control.Severity.String(), control.Profile.String(), fix, control.Name})
	}
	_, err := fmt.Fprintln(w, rows.Render())
	return err
}
