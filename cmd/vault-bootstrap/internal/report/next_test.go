package report_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

func replicas(health ...fsm.Health) fsm.Replicas {
	var all fsm.Replicas
	for _, each := range health {
		all = append(all, fsm.Replica{Address: string(each), Health: each})
	}
	return all
}

// TestNow names what needs attention first, whatever is on record.
func TestNow(t *testing.T) {
	for _, test := range []struct {
		replicas    fsm.Replicas
		inside      fsm.State
		state, text string
	}{
		{replicas(fsm.Sealed), fsm.Initialized, "sealed", "sealed"},
		{replicas(fsm.Active, fsm.Sealed, fsm.Standby), "", "sealed", "sealed (1 of 3), unsealed (2 of 3)"},
		{replicas(fsm.Active, fsm.Sealed, fsm.Standby), fsm.Hardened, "sealed", "sealed (1 of 3), hardened (2 of 3)"},
		{replicas(fsm.Active, fsm.PerformanceStandby), fsm.Hardened, "hardened", "hardened (2 of 2)"},
		{replicas(fsm.NoAnswer, fsm.NotInitialized), fsm.Uninitialized, "uninitialized", "uninitialized (1 of 2), no answer (1 of 2)"},
		{replicas(fsm.StandbyCutOff, fsm.Active), "", "standby, cut off", "standby, cut off (1 of 2), unsealed (1 of 2)"},
	} {
		now := report.NowOf(test.replicas, test.inside)
		if now.State != test.state || now.Text != test.text {
			t.Errorf("%v, %q inside: %q, %q; want %q, %q", test.replicas, test.inside, now.State, now.Text, test.state, test.text)
		}
	}
	if now := report.NowOf(nil, ""); now != nil {
		t.Errorf("no server was asked: %+v", now)
	}
}

// TestNext says what a run would do, and how it would end only if everything was looked at.
func TestNext(t *testing.T) {
	three := replicas(fsm.Active, fsm.Sealed, fsm.Standby)
	stop := fault.Stop("not ours", errors.New("no keys are stored"), "Adopt it.")
	for _, test := range []struct {
		forecast fsm.Forecast
		whole    bool
		text     string
		code     int // -1 for none
	}{
		{fsm.Forecast{Events: []fsm.Event{fsm.Unseal}}, false, "vault-bootstrap run: unseal", -1},
		{fsm.Forecast{Tends: true}, true, "vault-bootstrap run: join or unseal 1 of 3 replicas", 0},
		{fsm.Forecast{}, true, "nothing is left to do", 0},
		{fsm.Forecast{}, false, "nothing, as far as the checkpoint and the servers' health show", -1},
		{fsm.Forecast{Err: stop}, true, "a run would stop: not ours: no keys are stored (exit code 70)", 70},
		{fsm.Forecast{Err: fault.Part(errors.New("one object is not taken"), "")}, true, "a run would end: one object is not taken (exit code 1)", 1},
		{fsm.Forecast{Err: fault.Wait(errors.New("no replica is active"), "Waiting.")}, true, "a run would wait: no replica is active (exit code 1)", 1},
	} {
		next := report.NextOf(test.forecast, three, test.whole)
		code := -1
		if next.ExitCode != nil {
			code = *next.ExitCode
		}
		if !strings.HasPrefix(next.Text, test.text) || code != test.code {
			t.Errorf("%+v: %q with %d, want %q with %d", test.forecast, next.Text, code, test.text, test.code)
		}
	}
}
