package report

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Changes are what a walk has changed, by name. The lists of the JSON are complete.
type Changes struct {
	Initialized []string `json:"initialized,omitempty"`
	Unsealed    []string `json:"unsealed,omitempty"`
	Joined      []string `json:"joined,omitempty"`
	Created     []string `json:"created,omitempty"`
	Updated     []string `json:"updated,omitempty"`
	Deleted     []string `json:"deleted,omitempty"`
	Fixed       []string `json:"fixed,omitempty"`
	Revoked     []string `json:"revoked,omitempty"`
}

// mostNames is how many names of a list people are shown.
const mostNames = 20

// change is one list of changes, with its participle.
type change struct {
	what  string
	names []string
}

// lists returns the lists that are not empty.
func (c Changes) lists() []change {
	return slices.DeleteFunc([]change{
		{"initialized", c.Initialized}, {"unsealed", c.Unsealed}, {"joined", c.Joined},
		{"created", c.Created}, {"updated", c.Updated}, {"deleted", c.Deleted}, {"fixed", c.Fixed}, {"revoked", c.Revoked},
	}, func(list change) bool { return len(list.names) == 0 })
}

// String names the changes in one line, as in "created 2: a, b; unsealed 1: c"; "" if there are none.
func (c Changes) String() string {
	var parts []string
	for _, list := range c.lists() {
		parts = append(parts, fmt.Sprintf("%s %s", list.what, list.short()))
	}
	return strings.Join(parts, "; ")
}

// short counts the names and lists the first of them.
func (c change) short() string {
	shown, rest := c.names, ""
	if over := len(c.names) - mostNames; over > 0 {
		shown, rest = c.names[:mostNames], fmt.Sprintf(" and %d more", over)
	}
	return fmt.Sprintf("%d: %s%s", len(c.names), strings.Join(shown, ", "), rest)
}

// LogChanges logs what a walk has changed before it failed, or in a watch, and sends an Event about
// it where the report has Events. It does nothing if there is nothing.
func LogChanges(report Reporter, changes Changes) {
	if changes.String() == "" {
		return
	}
	if _, lines := report.Log().Handler().(phaseHandler); lines {
		report.Log().Info("changed", slog.Any("changes", changes))
	} else {
		report.Log().Warn("changed before that: " + changes.String())
	}
	SendChanges(report, changes)
}

// SendChanges sends an Event about what a walk has changed, if the report has Events.
func SendChanges(report Reporter, changes Changes) {
	if text := changes.String(); text != "" {
		if events, ok := report.(*eventReporter); ok {
			events.sender.Send(false, "Changed", sentence(text))
		}
	}
}
