package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

func (p *program) graphCommand() *cobra.Command {
	format := fsm.Mermaid
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Draw the state machine",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			drawing, err := fsm.Graph(format)
			if err != nil {
				return fault.Misuse(err, "See 'vault-bootstrap graph --help'.")
			}
			_, err = io.WriteString(p.stdout, drawing)
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "mermaid or graphviz")
	return cmd
}
