package seed

import (
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Harden is what a seed says of the controls, as it is written: what a control is, and
// whether there is one of that name, is not known here.
type Harden struct {
	// Profile is the profile's name, or empty.
	Profile string
	// Require, Advise and Fix hold IDs of controls.
	Require, Advise, Fix []string
	// Limits holds values by name.
	Limits     map[string]string
	Exceptions []HardenException
	// Position is where the seed says so; zero if it does not.
	Position value.Position
}

// HardenException accepts that a control does not hold.
type HardenException struct{ Control, Object, Reason, Expires string }

// Declared reports whether the seed says anything of the controls.
func (h Harden) Declared() bool { return h.Position.File != "" }

// Harden returns what the seed says of the controls.
func (s *Seed) Harden() Harden { return s.harden }

func hardenKeys() []key {
	return []key{
		{name: "profile", kind: text, about: "baseline, production or strict; production by default"},
		{name: "require", kind: words, about: "controls that are required besides those of the profile"},
		{name: "advise", kind: words, about: "controls of the profile that are advice only"},
		{name: "fix", kind: words, about: "controls that run puts right by itself; all for those that can be"},
		{name: "limits", kind: free, about: "values that controls compare with"},
		{name: "exceptions", kind: many, fields: []key{
			{name: "control", kind: text, required: true, about: "the control's ID"},
			{name: "object", kind: text, about: "what it is for, as verify names it; all if absent"},
			{name: "reason", kind: text, required: true, about: "why it is accepted"},
			{name: "expires", kind: text, required: true, about: "its last day, such as 2027-01-31"},
		}, about: "failures that are accepted until a day"},
	}
}

// readHarden reads the section harden, which one file of a seed may hold.
func (b *builder) readHarden(r record, problems *value.Problems) {
	section, ok := r.values["harden"].(record)
	if !ok {
		return
	}
	at := r.places["harden"]
	if b.harden.Declared() {
		problems.Add(at, "the section harden is there twice, first at %s", b.harden.Position)
		return
	}
	b.harden = Harden{
		Profile: section.text("profile"), Require: plainTexts(section.values["require"]), Advise: plainTexts(section.values["advise"]),
		Fix: plainTexts(section.values["fix"]), Limits: map[string]string{}, Position: at,
	}
	limits, _ := section.values["limits"].(map[string]any)
	for name, v := range limits {
		limit, ok := value.ScalarText(v)
		if !ok {
			problems.Add(section.places["limits"], "the limit %q must be a text or a number", name)
			continue
		}
		b.harden.Limits[name] = limit
	}
	for _, each := range section.records("exceptions") {
		b.harden.Exceptions = append(b.harden.Exceptions, HardenException{
			Control: each.text("control"), Object: strings.Trim(each.text("object"), "/"), Reason: each.text("reason"), Expires: each.text("expires"),
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
