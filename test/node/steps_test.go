package node

import (
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// printSteps prints how the time from 'helm install' to hardened was spent, by the pod of the
// Job and by its log: docs/benchmarks.md has the figures.
func (s *site) printSteps(what string, began, ended time.Time) {
	s.t.Helper()
	pods := s.podsOf("app.kubernetes.io/name=vault-bootstrap")
	if len(pods) != 1 || len(pods[0].Status.ContainerStatuses) == 0 {
		s.t.Errorf("%d pods have run, want one, whose steps can be shown", len(pods))
		return
	}
	pod := pods[0]
	last := began
	var vault time.Duration
	step := func(name string, at time.Time) time.Duration {
		took := max(0, at.Sub(last))
		fmt.Printf("steps: %s: %-28s %5.1f s\n", what, name, took.Seconds())
		last = began.Add(max(at.Sub(began), last.Sub(began)))
		return took
	}
	step("until the pod is there", pod.CreationTimestamp.Time)
	if state := pod.Status.ContainerStatuses[0].State.Terminated; state != nil {
		step("until its container starts", state.StartedAt.Time)
	}
	for _, entry := range driver.Entries(s.kubectl("logs", pod.Name)) {
		if entry.Msg != "entered" {
			continue
		}
		state := entry.Text("state")
		took := step("entered "+state, entry.Time)
		if state == "initialized" || state == "unsealed" {
			vault += took
		}
	}
	step("until helm returns", ended)
	fmt.Printf("steps: %s: %-28s %5.1f s, of which Vault needs %.1f s to be initialized and unsealed: %+.1f s\n",
		what, "in all", ended.Sub(began).Seconds(), vault.Seconds(), (ended.Sub(began) - vault).Seconds())
}
