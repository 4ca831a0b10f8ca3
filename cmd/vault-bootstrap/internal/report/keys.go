package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Keys is what 'keys list -o json' prints.
type Keys struct {
	Record string `json:"record"`
	// Sets are the set in force, then earlier ones. While a rotation is unsettled, it is not
	// certain which set is in force: then the former set comes first, followed by those that were
	// to replace it.
	Sets []setReport `json:"sets"`
	// RootToken is whether the first run's root token is still stored.
	RootToken bool `json:"root_token"`
	// Rotation is one that is in progress or was cut off.
	Rotation   *rotationReport   `json:"rotation,omitempty"`
	BreakGlass *breakGlassReport `json:"break_glass,omitempty"`
	// Attempts are the attempts to initialize, latest first.
	Attempts []attemptReport `json:"attempts"`
	// AppRole is whether the credential of our own login is stored here.
	AppRole bool `json:"approle"`
	// Ceremony is whether the credential for ceremonies is stored here.
	Ceremony bool `json:"ceremony"`
	// Keyless is whether the keys of Vault are not ours.
	Keyless bool `json:"keyless,omitempty"`
	// Encryption says to whom the record is encrypted; nil if it is in clear.
	Encryption *encryptionReport `json:"encryption,omitempty"`
}

type encryptionReport struct {
	DataKey    string            `json:"data_key"`
	Recipients []recipientReport `json:"recipients"`
}

type recipientReport struct {
	Name string `json:"name"`
	// Kind is what the name begins with, such as 'age'.
	Kind       string    `json:"kind"`
	KeyVersion string    `json:"key_version,omitempty"`
	Since      time.Time `json:"since"`
	// Escrow is whether it could not be used where the keys were encrypted to it.
	Escrow bool `json:"escrow,omitempty"`
	// Proven is when it was last seen to open the record; absent if it never was.
	Proven time.Time `json:"last_proven,omitzero"`
}

type setReport struct {
	Use       string          `json:"use"`
	Kind      string          `json:"kind"`
	Shares    int             `json:"shares"`
	Threshold int             `json:"threshold"`
	Custody   string          `json:"custody"`
	Owners    []custodyReport `json:"owners,omitempty"`
	ClusterID string          `json:"cluster_id,omitempty"`
	Created   time.Time       `json:"created"`
	PutAway   string          `json:"put_away,omitempty"`
}

type custodyReport struct {
	Owner       string `json:"owner"`
	Fingerprint string `json:"fingerprint"`
}

type breakGlassReport struct {
	Reason   string    `json:"reason"`
	Holder   string    `json:"holder"`
	Started  time.Time `json:"started"`
	Accessor string    `json:"accessor,omitempty"`
}

type rotationReport struct {
	Holder  string    `json:"holder"`
	Started time.Time `json:"started"`
	// Unsettled is whether more than one set may be in force.
	Unsettled bool `json:"unsettled"`
}

type attemptReport struct {
	ID      string    `json:"id"`
	Holder  string    `json:"holder"`
	Started time.Time `json:"started"`
	Status  string    `json:"status"`
}

// NewKeys returns what the keys record holds, which need not be opened for that; record is its
// location.
func NewKeys(keys store.Keys, record string) Keys {
	report := Keys{Record: record, Sets: []setReport{}, Attempts: []attemptReport{}, RootToken: keys.Root != nil, AppRole: keys.AppRole != nil, Ceremony: keys.Ceremony != nil}
	if keys.Sealing != nil {
		report.Encryption = newEncryptionReport(*keys.Sealing)
	}
	report.addPresent(keys)
	for _, date := range slices.Backward(slices.Sorted(maps.Keys(keys.Old))) {
		old := newSetReport("earlier", keys.Old[date])
		old.PutAway = date
		report.Sets = append(report.Sets, old)
	}
	if rootGrant := keys.RootGrant; rootGrant != nil {
		report.BreakGlass = &breakGlassReport{rootGrant.Reason, rootGrant.Holder, rootGrant.Started, rootGrant.Accessor}
	}
	attempts := slices.Clone(keys.Past)
	if keys.Attempt != nil {
		attempts = append(attempts, *keys.Attempt)
	}
	for _, attempt := range slices.Backward(attempts) {
		report.Attempts = append(report.Attempts, attemptReport{attempt.ID, attempt.Holder, attempt.Started, string(attempt.Status)})
	}
	return report
}

func newEncryptionReport(sealing store.Sealing) *encryptionReport {
	report := &encryptionReport{DataKey: sealing.DataKey}
	for _, wrap := range sealing.Wraps {
		kind, _, _ := strings.Cut(wrap.Recipient, ":")
		report.Recipients = append(report.Recipients, recipientReport{wrap.Recipient, kind, wrap.Version, wrap.Made, wrap.Escrow, wrap.Proven})
	}
	return report
}

// text names the recipients.
func (r *encryptionReport) text() string {
	if r == nil {
		return "none"
	}
	var names []string
	for _, recipient := range r.Recipients {
		names = append(names, recipient.Name+yesNo(recipient.Escrow, " (escrow)", ""))
	}
	return "to " + strings.Join(names, ", ")
}

// table lists the recipients, each with when it was last proven.
func (r *encryptionReport) table() string {
	if r == nil {
		return ""
	}
	rows := newTable()
	rows.AppendHeader(table.Row{"recipient", "kind", "key version", "since", "last proven"})
	for _, recipient := range r.Recipients {
		proven := "never"
		if !recipient.Proven.IsZero() {
			proven = recipient.Proven.Format(time.RFC3339)
		}
		rows.AppendRow(table.Row{recipient.Name, recipient.Kind + yesNo(recipient.Escrow, ", escrow", ""), recipient.KeyVersion, recipient.Since.Format(time.RFC3339), proven})
	}
	return "\n\n" + rows.Render()
}

// addPresent adds the sets that are, or may be, in force.
func (r *Keys) addPresent(keys store.Keys) {
	use, left := "in force", keys.Rotation
	if left != nil {
		unsettled := left.Set != nil || len(left.Rivals) > 0
		r.Rotation = &rotationReport{Holder: left.Holder, Started: left.Started, Unsettled: unsettled}
		if unsettled {
			use = "unsettled: former"
		}
	}
	if keys.Set != nil {
		r.Sets = append(r.Sets, newSetReport(use, *keys.Set))
	}
	if left == nil {
		return
	}
	for _, rival := range left.Rivals {
		r.Sets = append(r.Sets, newSetReport("unsettled: earlier rotation", rival))
	}
	if left.Set != nil {
		r.Sets = append(r.Sets, newSetReport("unsettled: new", *left.Set))
	}
}

func newSetReport(use string, set store.KeySet) setReport {
	report := setReport{
		Use: use, Kind: string(set.Kind), Shares: len(set.Shares), Threshold: set.Threshold,
		Custody: "this record", ClusterID: set.ClusterID, Created: set.Created,
	}
	if set.Shareless() {
		report.Custody = "nobody"
	}
	if len(set.Custody) > 0 {
		report.Custody, report.Shares = "operators", len(set.Custody)
	}
	for _, share := range set.Custody {
		report.Owners = append(report.Owners, custodyReport{share.Owner, share.Fingerprint})
	}
	return report
}

func (r Keys) table() string {
	facts := newTable()
	facts.AppendRow(table.Row{"record", r.Record})
	if r.Keyless {
		facts.AppendRow(table.Row{"keys", notOurs})
	}
	if len(r.Sets) > 0 || r.Encryption != nil {
		facts.AppendRow(table.Row{"encryption", r.Encryption.text()})
	}
	facts.AppendRow(table.Row{"root token", yesNo(r.RootToken, "stored", "none")})
	facts.AppendRow(table.Row{"login", yesNo(r.AppRole, "an AppRole credential is stored", "no credential is stored")})
	if r.Ceremony {
		facts.AppendRow(table.Row{"ceremonies", "a credential is stored"})
	}
	if used := r.BreakGlass; used != nil {
		facts.AppendRow(table.Row{"break-glass", fmt.Sprintf("since %s: %s (%s)", used.Started.Format(time.RFC3339), used.Reason, used.Holder)})
	}
	if left := r.Rotation; left != nil {
		text := fmt.Sprintf("since %s (%s): no new shares are stored", left.Started.Format(time.RFC3339), left.Holder)
		if left.Unsettled {
			text = fmt.Sprintf("unsettled since %s (%s): Vault accepts one of the sets; the next run finds out which, if it can", left.Started.Format(time.RFC3339), left.Holder)
		}
		facts.AppendRow(table.Row{"rotation", text})
	}
	if len(r.Sets) == 0 {
		return facts.Render() + r.Encryption.table() + "\n\nNo keys are stored."
	}
	sets := newTable()
	sets.AppendHeader(table.Row{"use", "kind", "shares", "held by", "since"})
	for _, set := range r.Sets {
		holders := set.Custody
		var owners []string
		for _, owner := range set.Owners {
			owners = append(owners, fmt.Sprintf("%s (%s)", owner.Owner, owner.Fingerprint))
		}
		if len(owners) > 0 {
			holders = strings.Join(owners, ", ")
		}
		shares := fmt.Sprintf("%d of %d", set.Threshold, set.Shares)
		if set.Shares == 0 {
			shares, holders = "none", "nobody: the server has none"
		}
		sets.AppendRow(table.Row{set.Use, set.Kind, shares, holders, set.Created.Format(time.RFC3339)})
	}
	return facts.Render() + r.Encryption.table() + "\n\n" + sets.Render()
}

func yesNo(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

// Write writes the report as JSON, or otherwise as a table.
func (r Keys) Write(w io.Writer, output string) error { return writeAs(w, output, r) }
