package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// The verbs that say beforehand how a run ends.
var (
	verbStatus = &verb{name: "status --exit-code", arguments: func(sc *scene) []string {
		return []string{"status", "--exit-code", "--spool-dir=" + sc.spool, "--seed=" + sc.seedFile, "--login=approle"}
	}}
	verbPlan = &verb{name: "plan", arguments: func(sc *scene) []string {
		return []string{"plan", "--spool-dir=" + sc.spool, "--seed=" + sc.seedFile, "--login=approle"}
	}}
)

// foreseeing has 'status --exit-code' and 'plan' say how a run would end, then has it run, and holds
// them to it: what they say needs a person does need one, and a run that ends well was not said to
// fail for good. What only an attempt shows, and what passes, they need not know.
func (sc *scene) foreseeing(ctx context.Context) (driver.Result, error) {
	said := map[*verb]driver.Result{}
	for _, v := range []*verb{verbStatus, verbPlan} {
		end, err := sc.finish(ctx, options{verb: v})
		if err != nil {
			return end, err
		}
		said[v] = end
	}
	end, err := sc.finish(ctx, sc.options())
	if err != nil {
		return end, err
	}
	for v, foreseen := range said {
		final := []int{exitUsage, exitTerminal}
		switch {
		case slices.Contains(final, foreseen.Code) && end.Code != foreseen.Code,
			slices.Contains(final, end.Code) && foreseen.Code == exitDone && !slices.Contains(losses, end.Failure):
			return end, fmt.Errorf("%q foresaw %d, and the run exited with %d\n%s%s\n%s", v, foreseen.Code, end.Code, foreseen.Stdout, foreseen.Stderr, end.Stderr)
		}
	}
	return end, nil
}
