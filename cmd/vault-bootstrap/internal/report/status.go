package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Status is what 'status -o json' prints. Times are RFC 3339.
type Status struct {
	// Now is what the servers answer; nil if none was asked.
	Now *Now `json:"now,omitempty"`
	// Next is what a run would do; nil if that is not known.
	Next *Next `json:"next,omitempty"`
	// State is the one on record, and Since when it was entered.
	State      string     `json:"state"`
	Since      *time.Time `json:"since,omitempty"`
	ClusterID  string     `json:"cluster_id,omitempty"`
	SeedDigest string     `json:"seed_digest,omitempty"`
	Objects    int        `json:"objects"`
	Checkpoint string     `json:"checkpoint"`
	Keys       string     `json:"keys"`
	// Keyless is whether the keys of Vault are not ours: the record named by Keys then holds none.
	Keyless bool `json:"keyless,omitempty"`
	// RootSince is since when the root token of the first run is stored, and PolicyGrows whether our
	// policy grows with the seed.
	RootSince   *time.Time        `json:"root_token_since,omitempty"`
	PolicyGrows bool              `json:"policy_grows"`
	Replicas    []Replica         `json:"replicas"`
	LastError   *failureReport    `json:"last_error,omitempty"`
	History     []transitionEntry `json:"history"`
}

// Replica is what a replica answers about its health.
type Replica struct {
	Address string `json:"address"`
	Health  string `json:"health"`
	// Product is 'Vault' or 'OpenBao'; empty if the server does not answer, or does not show it.
	Product string `json:"product,omitempty"`
	Version string `json:"version,omitempty"`
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

// NewStatus returns the status that the checkpoint holds.
//
// madeFromSeed is the policy that is made from the seed, as the ledger names it.
func NewStatus(c store.Checkpoint, location store.Location, madeFromSeed string) Status {
	report := Status{
		State: c.State, ClusterID: c.ClusterID, SeedDigest: c.SeedDigest, Objects: len(c.Ledger),
		Checkpoint: location.Checkpoint, Keys: location.Keys,
		Replicas: []Replica{}, History: []transitionEntry{},
	}
	if c.State == "" {
		report.State = "none yet"
	}
	if !c.Since.IsZero() {
		report.Since = &c.Since
	}
	if !c.RootSince.IsZero() {
		report.RootSince = &c.RootSince
	}
	report.PolicyGrows = c.Ledger[madeFromSeed] != ""
	if f := c.LastError; f != nil {
		report.LastError = &failureReport{f.Kind, f.Name, f.Message, f.Remedy, f.At}
	}
	for _, t := range c.History {
		report.History = append(report.History, transitionEntry{t.At, t.From, t.Event, t.To, t.Took.Round(time.Millisecond).String(), t.Holder})
	}
	return report
}

// See adds what the servers answer. inside is the state of the machine, if it was looked at.
func (r *Status) See(replicas fsm.Replicas, inside fsm.State) {
	r.Now = NowOf(replicas, inside)
	for _, replica := range replicas {
		r.Replicas = append(r.Replicas, Replica{Address: replica.Address, Health: string(replica.Health), Product: string(replica.Product.Kind),
			Version: replica.Product.Version.String(), Answer: replica.Answer})
	}
}

// Foresee adds what a run would do, where only the checkpoint and the health of the servers were looked
// at. known is whether these say anything.
func (r *Status) Foresee(f fsm.Forecast, replicas fsm.Replicas, known bool) {
	switch {
	case len(replicas) == 0:
		return
	case !known:
		r.Next = &Next{Text: "not known without the keys record: --exit-code reads it"}
		return
	}
	r.Next = NextOf(f, replicas, false)
	if r.LastError != nil && r.Next.Error == nil && r.Next.Command == "" {
		r.Next.Command = command
		r.Next.Text = command + ": the last one has failed, see below"
	}
}

// MissKeys shows that the keys record is gone, if that is what err says: no run gets past it.
func (r *Status) MissKeys(err error, replicas fsm.Replicas) {
	if err == nil {
		return
	}
	r.Next = NextOf(fsm.Forecast{Err: err}, replicas, true)
}

// fails reports whether a run would end with the error of a name.
func (r *Status) fails(name string) bool {
	return name != "" && r.Next != nil && r.Next.Error != nil && r.Next.Error.Name == name
}

// notOurs is what is shown in place of keys that are not ours.
const notOurs = "not ours (--keys=none)"

// shownHistory is how many transitions the table shows.
const shownHistory = 10

func (r Status) table() string {
	facts := newTable()
	for _, row := range r.head() {
		facts.AppendRow(row)
	}
	if r.ClusterID != "" {
		facts.AppendRow(table.Row{"cluster", r.ClusterID})
	}
	if r.SeedDigest != "" {
		facts.AppendRow(table.Row{"seed", r.SeedDigest})
		facts.AppendRow(table.Row{"objects", r.Objects})
	}
	facts.AppendRow(table.Row{"checkpoint", r.Checkpoint})
	if r.Keyless {
		facts.AppendRow(table.Row{"keys", notOurs})
	} else {
		facts.AppendRow(table.Row{"keys", r.Keys})
	}
	if r.RootSince != nil {
		facts.AppendRow(table.Row{"root token", fmt.Sprintf("stored since %s: 'run' revokes it once our own login is proven", r.RootSince.Format(time.RFC3339))})
	}
	if !r.PolicyGrows && (r.State == "seeded" || r.State == "hardened") {
		facts.AppendRow(table.Row{"policy", "does not grow with the seed: it is fixed, or older than this program"})
		facts.AppendRow(table.Row{"", r.renewPolicy()})
	}
	if f := r.LastError; f != nil && !r.fails(f.Name) {
		facts.AppendRow(table.Row{"last error", fmt.Sprintf("%s (%s, %s)", f.Message, f.Kind, f.At.Format(time.RFC3339))})
		facts.AppendRow(table.Row{"remedy", f.Remedy})
	}
	replicas := newTable()
	replicas.AppendHeader(table.Row{"replica", "health", "product", ""})
	for _, each := range r.Replicas {
		replicas.AppendRow(table.Row{each.Address, each.Health, strings.TrimSpace(each.Product + " " + each.Version), each.Answer})
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

// head returns the first rows: what is now, what is on record, and what comes next.
func (r Status) head() []table.Row {
	now, recorded := "not known: no server was asked (--vault-addr or --vault-service says where they are)", r.State
	if r.Now != nil {
		now = r.Now.Text
	}
	if r.Since != nil {
		recorded += " since " + r.Since.Format(time.RFC3339)
	}
	rows := []table.Row{{"NOW", now}, {"recorded", recorded}}
	if r.Next == nil {
		return rows
	}
	rows = append(rows, table.Row{"next", r.Next.Text})
	if e := r.Next.Error; e != nil && e.Remedy != "" {
		rows = append(rows, table.Row{"", e.Remedy})
	}
	return rows
}

// renewPolicy names the command after which our policy grows with the seed.
func (r Status) renewPolicy() string {
	if r.Keyless {
		return "'vault-bootstrap run --token-file=FILE' with an administrator's token makes it grow"
	}
	return "'vault-bootstrap break-glass run --reason=WHY' makes it grow"
}

// Write writes the report as JSON, or else as a table.
func (r Status) Write(w io.Writer, output string) error { return writeAs(w, output, r) }
