package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// writeAs writes facts as JSON, or otherwise as a table.
func writeAs(w io.Writer, output string, facts interface{ table() string }) error {
	if output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(facts)
	}
	_, err := fmt.Fprintln(w, facts.table())
	return err
}

// wideColumn is the width at which long cells are wrapped.
const wideColumn = 100

func newTable() table.Writer {
	writer := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft = ""
	style.Box.PaddingRight = "  "
	writer.SetStyle(style)
	writer.SuppressTrailingSpaces()
	writer.SetColumnConfigs([]table.ColumnConfig{
		{Number: 2, WidthMax: wideColumn, WidthMaxEnforcer: text.WrapSoft},
		{Number: 3, WidthMax: wideColumn, WidthMaxEnforcer: text.WrapSoft},
	})
	return writer
}
