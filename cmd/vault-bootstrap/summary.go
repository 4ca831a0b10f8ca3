package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

// summarize tells what was done, where the keys are and what to do next.
func (p *program) summarize(job *job, report reporter) error {
	advice := harden.Failed(job.controls(), false)
	if lines, ok := report.(*lineReporter); ok {
		for _, control := range advice {
			lines.log.Warn("advice", "control", control.ID, "seen", control.Seen, "why", control.Why, "remedy", control.Remedy)
		}
		lines.log.Info("done", slog.String("reached", string(job.outcome.State)), slog.Any("did", did(job.outcome)),
			slog.String("keys", job.store.Location().Keys), slog.Any("without", addresses(job.outcome.Pending)))
		return nil
	}
	text := &strings.Builder{}
	_, _ = fmt.Fprintf(text, "\nVault is %s. %s\n", job.outcome.State, whatWasDone(job.outcome))
	_, _ = fmt.Fprintf(text, "  keys        %s\n", job.store.Location().Keys)
	_, _ = fmt.Fprintf(text, "  checkpoint  %s\n", job.store.Location().Checkpoint)
	for _, control := range advice {
		_, _ = fmt.Fprintf(text, "  advice      %s: %s %s\n", control.Name, control.Why, control.Remedy)
	}
	for _, replica := range job.outcome.Pending {
		_, _ = fmt.Fprintf(text, "  missing     %s (%s): the next run unseals it\n", replica.Address, replica.Health)
	}
	_, _ = fmt.Fprintf(text, "  next        %s\n", next(job.outcome.State))
	_, err := fmt.Fprint(p.stdout, text)
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

func whatWasDone(outcome fsm.Outcome) string {
	events := did(outcome)
	if len(events) == 0 {
		return "Nothing was left to do."
	}
	return "Done: " + strings.Join(events, ", ") + "."
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
