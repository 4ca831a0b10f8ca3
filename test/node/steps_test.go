package node

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// addedByUs is the bound on what we add to the time that Vault itself needs. It is printed and
// not held, since other tests share the node.
const addedByUs = 10 * time.Second

// step is a moment between 'helm install' and its end.
type step struct {
	name string
	at   time.Time
}

// printSteps prints how the time from 'helm install' to hardened was spent, by what the API
// server says of the pods and by the log of our Job: docs/benchmarks.md has the figures.
//
// Vault needs its own time, whoever initializes it: until its containers run, to be initialized
// and unsealed, and from there until the readiness probes of all replicas have noticed. What is
// left of the whole is ours. The API server shows whole seconds.
func (s *site) printSteps(what string, began, ended time.Time) {
	s.t.Helper()
	ours, vaults := s.podsOf("app.kubernetes.io/name=vault-bootstrap"), s.podsOf(vaultPods)
	if len(ours) != 1 || len(ours[0].Status.ContainerStatuses) == 0 || len(vaults) == 0 {
		s.t.Errorf("%d pods of ours and %d of Vault have run, want one and some, whose steps can be shown", len(ours), len(vaults))
		return
	}
	steps := []step{{"our pod is there", ours[0].CreationTimestamp.Time}, {"helm returns", ended}}
	if state := ours[0].Status.ContainerStatuses[0].State.Terminated; state != nil {
		steps = append(steps, step{"our container starts", state.StartedAt.Time}, step{"our container ends", state.FinishedAt.Time})
	}
	up, ready := began, began
	for _, pod := range vaults {
		for _, container := range pod.Status.ContainerStatuses {
			if running := container.State.Running; running != nil && running.StartedAt.After(up) {
				up = running.StartedAt.Time
			}
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.LastTransitionTime.After(ready) {
				ready = condition.LastTransitionTime.Time
			}
		}
	}
	steps = append(steps, step{"Vault's containers run", up}, step{"Vault's pods are ready", ready})
	unsealed, needed := began, time.Duration(0)
	for line := range strings.Lines(s.kubectl("logs", ours[0].Name)) {
		var entry struct {
			Time       time.Time
			Msg, State string
			Took       string
		}
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Msg != "entered" {
			continue
		}
		steps = append(steps, step{"entered " + entry.State, entry.Time})
		if took, err := time.ParseDuration(entry.Took); err == nil && (entry.State == "initialized" || entry.State == "unsealed") {
			needed += took
		}
		if entry.State == "unsealed" {
			unsealed = entry.Time
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	for _, step := range steps {
		fmt.Printf("steps: %s: %5.1f s  %s\n", what, max(0, step.at.Sub(began)).Seconds(), step.name)
	}
	vault := up.Sub(began) + needed + max(0, ready.Sub(unsealed))
	added := ended.Sub(began) - vault
	verdict := "holds"
	if added > addedByUs {
		verdict = "missed"
	}
	fmt.Printf("steps: %s: %.1f s in all; Vault needs %.1f s: %.1f s until its containers run, %.1f s to be initialized and unsealed, %.1f s until its pods are ready; added %.1f s of %s: %s\n",
		what, ended.Sub(began).Seconds(), vault.Seconds(), up.Sub(began).Seconds(), needed.Seconds(), max(0, ready.Sub(unsealed)).Seconds(), added.Seconds(), addedByUs, verdict)
}
