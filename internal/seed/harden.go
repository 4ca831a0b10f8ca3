package seed

import (
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Harden is what a seed says about the controls, as written. The package does not know which
// controls there are.
type Harden struct {
	// Profile is the profile's name, or empty.
	Profile string
	// Require, Advise and Fix hold IDs of controls.
	Require, Advise, Fix []string
	// Limits holds values by name.
	Limits     map[string]string
	Exceptions []HardenException
	// Position is the position of the section; zero if there is none. Positions are those of its keys.
	Position  value.Position
	Positions map[string]value.Position
}

// HardenException accepts that a control does not hold.
type HardenException struct {
	Control, Object, Reason, Expires string
	Position                         value.Position `json:"-"` // no part of the digest
}

// Declared reports whether the seed says anything about the controls.
func (h Harden) Declared() bool { return h.Position.File != "" }

// readHarden reads the section harden, which one file of a seed may hold.
func (b *builder) readHarden(r lang.Record, problems *value.Problems) {
	section, ok := r.Values["harden"].(lang.Record)
	if !ok {
		return
	}
	at := r.Positions["harden"]
	if b.harden.Declared() {
		problems.Add(at, "duplicate section harden, first at %s", b.harden.Position)
		return
	}
	b.harden = Harden{
		Profile: section.Text("profile"), Require: plainTexts(section.Values["require"]), Advise: plainTexts(section.Values["advise"]),
		Fix: plainTexts(section.Values["fix"]), Limits: map[string]string{}, Position: at, Positions: section.Positions,
	}
	limits, _ := section.Values["limits"].(map[string]any)
	for name, v := range limits {
		limit, ok := value.ScalarText(v)
		if !ok {
			problems.Add(section.Positions["limits"], "the limit %q must be a text or a number", name)
			continue
		}
		b.harden.Limits[name] = limit
	}
	for _, each := range section.Records("exceptions") {
		b.harden.Exceptions = append(b.harden.Exceptions, HardenException{
			Control: each.Text("control"), Object: strings.Trim(each.Text("object"), "/"), Reason: each.Text("reason"), Expires: each.Text("expires"), Position: each.At,
		})
	}
}

// plainTexts returns the texts of a list.
func plainTexts(list any) []string {
	items, _ := list.([]any)
	var found []string
	for _, item := range items {
		if text, ok := item.(string); ok {
			found = append(found, text)
		}
	}
	return found
}
