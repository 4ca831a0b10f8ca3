package reconcile

import (
	"encoding/json"
	"io"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// planJSON is what PrintJSON writes.
type planJSON struct {
	// Empty is whether there is nothing to do.
	Empty    bool          `json:"empty"`
	Create   int           `json:"create"`
	Update   int           `json:"update"`
	Delete   int           `json:"delete"`
	None     int           `json:"unchanged"`
	Changes  []changeJSON  `json:"changes"`
	Refusals []refusalJSON `json:"refusals"`
	// Sealed holds the sealed namespaces, whose objects were not compared.
	Sealed   []sealedJSON `json:"sealed"`
	Left     []leftJSON   `json:"left"`
	Fixes    []fixJSON    `json:"fixes"`
	Warnings []string     `json:"warnings"`
	// NotCompared says why Vault was not compared with: then everything counts as new.
	NotCompared string `json:"not_compared_because,omitempty"`
	// Unproven says why it is not known how a run would end.
	Unproven string `json:"run_unproven_because,omitempty"`
	// Ending is how a run would end, if not well.
	Ending *endingJSON `json:"run_would_end,omitempty"`
}

// endingJSON is how a run would end.
type endingJSON struct {
	Code    int    `json:"exit_code"`
	Kind    string `json:"kind"`
	Name    string `json:"name,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
	Stops   bool   `json:"stops"`
}

// fixJSON has no call if it is not known whether one is needed.
type fixJSON struct {
	Control string `json:"control"`
	Seen    string `json:"seen"`
	Call    string `json:"call,omitempty"`
}

type sealedJSON struct {
	Namespace string `json:"namespace"`
	Objects   int    `json:"objects"`
}

type changeJSON struct {
	ID       string      `json:"id"`
	Action   string      `json:"action"`
	Stage    string      `json:"stage"`
	Position string      `json:"position,omitempty"`
	Fields   []fieldJSON `json:"fields,omitempty"`
	// ByHash names fields that Vault does not show, and NotCompared those that could not be
	// compared without the key of the hashes.
	ByHash      []string `json:"compared_by_hash,omitempty"`
	NotCompared []string `json:"not_compared,omitempty"`
	// Unknown names fields that Vault does not recognize.
	Unknown []string `json:"unknown_fields,omitempty"`
	// ServerWide objects are in a namespace, and the server has them in its root namespace only.
	ServerWide bool `json:"root_namespace_only,omitempty"`
	// Gained and Lost are the rules that a policy of this program's own has after the change and
	// before it alone, each as "path: capability, capability".
	Gained []string `json:"gained_rules,omitempty"`
	Lost   []string `json:"lost_rules,omitempty"`
	// Unread objects could not be compared, since our login may not read them yet.
	Unread bool `json:"not_read,omitempty"`
}

type fieldJSON struct {
	Field     string `json:"field"`
	Old       any    `json:"old"`
	New       any    `json:"new"`
	Sensitive bool   `json:"sensitive,omitempty"`
}

type refusalJSON struct {
	ID       string `json:"id"`
	Position string `json:"position,omitempty"`
	Reason   string `json:"reason"`
	Remedy   string `json:"way_out"`
	// Stanza is to be added to the server's configuration.
	Stanza string `json:"stanza,omitempty"`
}

type leftJSON struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// PrintJSON writes the plan for machines, with unchanged objects only if some of their fields could
// not be seen. Sensitive values are omitted.
func (p *Plan) PrintJSON(w io.Writer) error {
	out := planJSON{
		Empty: p.Empty(), Create: p.Count(Create), Update: p.Count(Update), Delete: p.Count(Delete), None: p.Count(None),
		Changes: []changeJSON{}, Refusals: []refusalJSON{}, Sealed: []sealedJSON{}, Left: []leftJSON{}, Fixes: []fixJSON{}, Warnings: append([]string{}, p.Warnings...),
	}
	for _, c := range p.Changes {
		if c.Action == None && len(c.Unseen)+len(c.Blind) == 0 {
			continue
		}
		change := changeJSON{ID: c.Object.ID.String(), Action: c.Action.String(), Stage: c.Stage.String(), Position: positionText(c.Object.Position), ByHash: c.Unseen, NotCompared: c.Blind, Unknown: c.Unknown, ServerWide: c.ServerWide, Gained: c.gained(), Lost: c.lost(), Unread: c.Unread()}
		for _, f := range c.Fields {
			change.Fields = append(change.Fields, fieldJSON(f))
		}
		out.Changes = append(out.Changes, change)
	}
	for _, r := range p.Refusals {
		out.Refusals = append(out.Refusals, refusalJSON{r.Object.ID.String(), positionText(r.Object.Position), r.Reason, r.Remedy, r.Stanza})
	}
	for _, s := range p.Sealed {
		out.Sealed = append(out.Sealed, sealedJSON(s))
	}
	for _, l := range p.Left {
		out.Left = append(out.Left, leftJSON{l.ID.String(), l.Reason})
	}
	for _, f := range p.Fixes {
		out.Fixes = append(out.Fixes, fixJSON(f))
	}
	out.NotCompared, out.Unproven = p.NotCompared, p.Unproven
	if e := p.Ending; e != nil {
		out.Ending = &endingJSON{e.Code, e.Kind, e.Name, e.Message, e.Remedy, e.Stops}
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

// positionText returns a position for machines: empty for the program's own objects.
func positionText(p value.Position) string {
	if p.File == "" {
		return ""
	}
	return p.String()
}
