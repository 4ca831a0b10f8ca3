package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

func (p *program) statusCommand() *cobra.Command {
	options := &statusOptions{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far the bootstrap has come",
		Long: "status reads the checkpoint, which holds no secret, and asks each replica for its\n" +
			"health. It needs no access to the keys and changes nothing.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.status(cmd.Context(), options)
		},
	}
	registerStore(cmd.Flags(), &options.store)
	registerVault(cmd.Flags(), &options.vault)
	cmd.Flags().StringVarP(&options.output, "output", "o", "table", "table or json")
	cmd.Flags().DurationVar(&options.timeout, "timeout", 20*time.Second, "how long to wait for answers")
	return cmd
}

type statusOptions struct {
	store   storeOptions
	vault   vaultOptions
	output  string
	timeout time.Duration
}

// statusReport is what 'status -o json' prints. Times are RFC 3339.
type statusReport struct {
	State      string            `json:"state"`
	Since      *time.Time        `json:"since,omitempty"`
	ClusterID  string            `json:"cluster_id,omitempty"`
	SeedDigest string            `json:"seed_digest,omitempty"`
	Objects    int               `json:"objects"`
	Checkpoint string            `json:"checkpoint"`
	Keys       string            `json:"keys"`
	Replicas   []replicaReport   `json:"replicas"`
	LastError  *failureReport    `json:"last_error,omitempty"`
	History    []transitionEntry `json:"history"`
}

type replicaReport struct {
	Address string `json:"address"`
	Health  string `json:"health"`
	Answer  string `json:"answer,omitempty"`
}

type failureReport struct {
	Kind    string    `json:"kind"`
	Name    string    `json:"name,omitempty"`
	Message string    `json:"message"`
	Remedy  string    `json:"remedy,omitempty"`
	At      time.Time `json:"at"`
}

type transitionEntry struct {
	At     time.Time `json:"at"`
	From   string    `json:"from,omitempty"`
	Event  string    `json:"event,omitempty"`
	To     string    `json:"to"`
	Took   string    `json:"took"`
	Holder string    `json:"holder"`
}

func (p *program) status(ctx context.Context, options *statusOptions) error {
	if options.output != "table" && options.output != "json" {
		return fault.Misuse(fmt.Errorf("%w: %q", errNoOutput, options.output), "Write -o table or -o json.")
	}
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	records, kind, err := options.store.open(p.env)
	if err != nil {
		return err
	}
	servers, err := options.vault.open(p.env, podsBeside(records))
	if err != nil {
		return err
	}
	checkpoint, _, err := records.Checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("reading the checkpoint: %w", err)
	}
	warnOfConcerns(ctx, p.warnings(), records)
	report := newStatusReport(checkpoint, records.Location())
	// From outside of a cluster its Vault is not at the default address.
	if kind == fileStore || options.vault.named(p.env) {
		for _, replica := range servers.observer().Health(ctx) {
			report.Replicas = append(report.Replicas, replicaReport{replica.Address, string(replica.Health), replica.Answer})
		}
	}
	if options.output == "json" {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	_, err = fmt.Fprintln(p.stdout, report.table())
	return err
}

func newStatusReport(c store.Checkpoint, location store.Location) statusReport {
	report := statusReport{
		State: c.State, ClusterID: c.ClusterID, SeedDigest: c.SeedDigest, Objects: len(c.Ledger),
		Checkpoint: location.Checkpoint, Keys: location.Keys,
		Replicas: []replicaReport{}, History: []transitionEntry{},
	}
	if c.State == "" {
		report.State = "none yet"
	}
	if !c.Since.IsZero() {
		report.Since = &c.Since
	}
	if f := c.LastError; f != nil {
		report.LastError = &failureReport{f.Kind, f.Name, f.Message, f.Remedy, f.At}
	}
	for _, t := range c.History {
		report.History = append(report.History, transitionEntry{t.At, t.From, t.Event, t.To, t.Took.Round(time.Millisecond).String(), t.Holder})
	}
	return report
}

// shownHistory is how many transitions the table shows.
const shownHistory = 10

// wideColumn is where long cells are wrapped.
const wideColumn = 100

func (r statusReport) table() string {
	facts := newTable()
	facts.AppendRow(table.Row{"state", r.State})
	if r.Since != nil {
		facts.AppendRow(table.Row{"since", r.Since.Format(time.RFC3339)})
	}
	if r.ClusterID != "" {
		facts.AppendRow(table.Row{"cluster", r.ClusterID})
	}
	if r.SeedDigest != "" {
		facts.AppendRow(table.Row{"seed", r.SeedDigest})
		facts.AppendRow(table.Row{"objects", r.Objects})
	}
	facts.AppendRow(table.Row{"checkpoint", r.Checkpoint})
	facts.AppendRow(table.Row{"keys", r.Keys})
	if f := r.LastError; f != nil {
		facts.AppendRow(table.Row{"last error", fmt.Sprintf("%s (%s, %s)", f.Message, f.Kind, f.At.Format(time.RFC3339))})
		facts.AppendRow(table.Row{"remedy", f.Remedy})
	}
	if len(r.Replicas) == 0 {
		facts.AppendRow(table.Row{"replicas", "not asked: --vault-addr or --vault-service says where they are"})
	}
	replicas := newTable()
	replicas.AppendHeader(table.Row{"replica", "health", ""})
	for _, each := range r.Replicas {
		replicas.AppendRow(table.Row{each.Address, each.Health, each.Answer})
	}
	shown := facts.Render()
	if len(r.Replicas) > 0 {
		shown += "\n\n" + replicas.Render()
	}
	if len(r.History) == 0 {
		return shown
	}
	history := newTable()
	history.AppendHeader(table.Row{"time", "from", "event", "to", "took"})
	for _, each := range r.History[max(0, len(r.History)-shownHistory):] {
		history.AppendRow(table.Row{each.At.Format(time.RFC3339), each.From, each.Event, each.To, each.Took})
	}
	return shown + "\n\n" + history.Render()
}

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
