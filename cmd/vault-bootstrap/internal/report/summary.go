package report

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// Summary is the outcome of a run.
type Summary struct {
	Outcome fsm.Outcome
	Changes Changes
	// NoSeed is whether the seed on record was not given, and so not compared.
	NoSeed   bool
	Location store.Location
	Controls []harden.Result
	// RootSince is since when the root token of the first run is stored; zero if it is not.
	RootSince time.Time
}

// Write writes what was done, where the keys are and what to do next: in lines of the report, or as
// plain text.
func (s Summary) Write(w io.Writer, report Reporter) error {
	advice := harden.Failed(s.Controls, false)
	if lines, ok := report.(*Lines); ok {
		for _, control := range advice {
			lines.log.Warn("advice", "control", control.ID, "seen", control.Found(), "why", control.Why, "remedy", control.Remedy)
		}
		if !s.RootSince.IsZero() {
			lines.log.Warn("the root token is stored", "since", s.RootSince.Format(time.RFC3339), "remedy", "A run to hardened revokes it.")
		}
		lines.log.Info("done", slog.String("reached", string(s.Outcome.State)), slog.Any("did", did(s.Outcome)), slog.Any("changes", s.Changes),
			slog.String("keys", s.Location.Keys), slog.Any("without", addresses(s.Outcome.Pending)))
		return nil
	}
	text := &strings.Builder{}
	_, _ = fmt.Fprintf(text, "\n%s\n", whatIs(s.Outcome, s.Changes))
	for _, list := range s.Changes.lists() {
		_, _ = fmt.Fprintf(text, "  %-11s %s\n", list.what, list.short())
	}
	if s.NoSeed {
		_, _ = fmt.Fprintf(text, "  seed        none given: the objects of the one on record were not compared\n")
	}
	_, _ = fmt.Fprintf(text, "  keys        %s\n", s.Location.Keys)
	_, _ = fmt.Fprintf(text, "  checkpoint  %s\n", s.Location.Checkpoint)
	if !s.RootSince.IsZero() {
		_, _ = fmt.Fprintf(text, "  root token  stored since %s: a run to hardened revokes it\n", s.RootSince.Format(time.RFC3339))
	}
	for _, control := range advice {
		_, _ = fmt.Fprintf(text, "  advice      %s. %s %s\n", control.Message(), control.Why, control.Remedy)
	}
	for _, replica := range s.Outcome.Pending {
		_, _ = fmt.Fprintf(text, "  missing     %s (%s): the next run unseals it\n", replica.Address, replica.Health)
	}
	_, _ = fmt.Fprintf(text, "  next        %s\n", next(s.Outcome.State))
	_, err := fmt.Fprint(w, text)
	return err
}

// did lists the events of a run.
func did(outcome fsm.Outcome) []string {
	events := []string{}
	for _, transition := range outcome.Transitions {
		if transition.Event != "" {
			events = append(events, string(transition.Event))
		}
	}
	return events
}

// whatIs says how Vault is and, if a run has found nothing to do, that it has not.
func whatIs(outcome fsm.Outcome, changes Changes) string {
	text := fmt.Sprintf("Vault is %s.", outcome.State)
	if len(did(outcome)) == 0 && changes.String() == "" {
		text += " Nothing was left to do."
	}
	return text
}

func addresses(replicas []fsm.Replica) []string {
	list := []string{}
	for _, replica := range replicas {
		list = append(list, replica.Address)
	}
	return list
}

func next(state fsm.State) string {
	if state == fsm.Hardened {
		return "keep a copy of the keys in a safe place; run again after every restart of Vault and every change of the seed"
	}
	return "run without --until to go on to hardened"
}
