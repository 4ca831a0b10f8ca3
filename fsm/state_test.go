package fsm

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

func TestTable(t *testing.T) {
	type key struct {
		event Event
		from  State
	}
	seen := map[key]bool{}
	reachable := map[State]bool{Uninitialized: true}
	acts := newWorld(t).driver().Acts
	for _, edge := range Table() {
		if _, known := acts[edge.Event]; !known {
			t.Errorf("event %q has no act", edge.Event)
		}
		if _, err := ParseState(string(edge.To)); err != nil {
			t.Error(err)
		}
		for _, from := range edge.From {
			if seen[key{edge.Event, from}] {
				t.Errorf("duplicate %q from %q", edge.Event, from)
			}
			seen[key{edge.Event, from}] = true
			if from == edge.To {
				t.Errorf("%q leads from %q to itself", edge.Event, from)
			}
		}
	}
	for range States() {
		for _, edge := range Table() {
			for _, from := range edge.From {
				if reachable[from] {
					reachable[edge.To] = true
				}
			}
		}
	}
	for _, state := range States() {
		if !reachable[state] {
			t.Errorf("%q cannot be reached", state)
		}
	}
}

func TestNext(t *testing.T) {
	for _, test := range []struct {
		state, goal State
		event       Event
		more        bool
	}{
		{Uninitialized, Hardened, Initialize, true},
		{Initialized, Hardened, Unseal, true},
		{Unsealed, Hardened, Seed, true},
		{Seeded, Hardened, Harden, true},
		{Hardened, Hardened, "", false},
		{Unsealed, Unsealed, "", false},
		{Seeded, Unsealed, "", false},
		{Uninitialized, Initialized, Initialize, true},
	} {
		event, more := Next(test.state, test.goal)
		if event != test.event || more != test.more {
			t.Errorf("Next(%q, %q) = %q, %v; want %q, %v", test.state, test.goal, event, more, test.event, test.more)
		}
	}
}

func TestRegress(t *testing.T) {
	for _, test := range []struct {
		remembered, state State
		event             Event
		fell              bool
	}{
		{Hardened, Initialized, Seal, true}, {Seeded, Initialized, Seal, true}, {Unsealed, Initialized, Seal, true},
		{Hardened, Unsealed, Drift, true}, {Seeded, Unsealed, Drift, true},
		{Hardened, Seeded, Weaken, true},
		{Seeded, Hardened, "", false}, {Uninitialized, Initialized, "", false},
		{"", Hardened, "", false}, {Initialized, Uninitialized, "", false},
	} {
		event, fell := Regress(test.remembered, test.state)
		if event != test.event || fell != test.fell {
			t.Errorf("Regress(%q, %q) = %q, %v; want %q, %v", test.remembered, test.state, event, fell, test.event, test.fell)
		}
	}
}

func TestParseState(t *testing.T) {
	for _, state := range States() {
		if got, err := ParseState(string(state)); err != nil || got != state {
			t.Errorf("ParseState(%q) = %q, %v", state, got, err)
		}
	}
	if _, err := ParseState("sealed"); err == nil {
		t.Error("'sealed' is not a state")
	}
}

func TestGraph(t *testing.T) {
	for format, file := range map[string]string{Mermaid: "machine.mmd", Graphviz: "machine.dot"} {
		got, err := Graph(format)
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from %s (go test ./fsm -update writes it):\n%s", format, golden, got)
		}
	}
	if _, err := Graph("png"); err == nil {
		t.Error("'png' is not a format")
	}
}

func TestIllegalEventIsRefused(t *testing.T) {
	never := func() error { t.Error("the act ran"); return nil }
	if err := newMachine(Uninitialized, never, nil).fire(Harden); err == nil {
		t.Error("harden was taken in the state uninitialized")
	}
	if err := newMachine(Uninitialized, never, nil).fire("unknown"); err == nil {
		t.Error("an unknown event was taken")
	}
}
