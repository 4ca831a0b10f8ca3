package store

import (
	"reflect"
	"testing"
	"time"
)

func TestCheckpointClone(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	full := Checkpoint{
		Epoch: 1, State: "seeded", Since: at, ClusterID: "c", RootSince: at, SeedDigest: "d", Namespace: "n", Ledger: map[string]Ownership{"a": Created},
		Hashes: map[string]map[string]string{"a": {"x": "1"}}, Open: map[string]string{"r": "life"},
		HighWater: &HighWater{"k", 1}, LastError: &Failure{Name: "n", At: at}, History: []Transition{{At: at, To: "seeded"}},
	}
	for i := range reflect.TypeFor[Checkpoint]().NumField() {
		if reflect.ValueOf(full).Field(i).IsZero() {
			t.Errorf("this test says nothing of the field %s", reflect.TypeFor[Checkpoint]().Field(i).Name)
		}
	}
	changes := map[string]func(*Checkpoint){
		"epoch": func(c *Checkpoint) { c.Epoch++ }, "state": func(c *Checkpoint) { c.State = "hardened" },
		"since": func(c *Checkpoint) { c.Since = at.Add(1) }, "cluster": func(c *Checkpoint) { c.ClusterID = "" },
		"root":   func(c *Checkpoint) { c.RootSince = time.Time{} },
		"digest": func(c *Checkpoint) { c.SeedDigest = "" }, "namespace": func(c *Checkpoint) { c.Namespace = "" }, "ledger, an entry": func(c *Checkpoint) { c.Ledger["a"] = Intended },
		"ledger, one more": func(c *Checkpoint) { c.Ledger["b"] = Created }, "hashes, a field": func(c *Checkpoint) { c.Hashes["a"]["x"] = "2" },
		"hashes, an object": func(c *Checkpoint) { delete(c.Hashes, "a") }, "open": func(c *Checkpoint) { c.Open["r"] = "another" },
		"high-water mark": func(c *Checkpoint) { c.HighWater.Generation++ },
		"error, in place": func(c *Checkpoint) { c.LastError.Name = "m" }, "error": func(c *Checkpoint) { c.LastError = nil },
		"history, in place": func(c *Checkpoint) { c.History[0].To = "x" }, "history": func(c *Checkpoint) { c.Remember(Transition{}) },
	}
	for name, change := range changes {
		c, before := full.Clone(), full.Clone()
		if !c.Equal(before) || !reflect.DeepEqual(c, full) {
			t.Fatalf("%s: a copy differs", name)
		}
		change(&c)
		if c.Equal(before) {
			t.Errorf("%s: the change is not seen", name)
		}
		if !full.Equal(before) {
			t.Errorf("%s: the original has changed as well", name)
		}
	}
}

func TestCheckpointEqualAsStored(t *testing.T) {
	at := time.Now()
	empty := Checkpoint{Ledger: map[string]Ownership{}, Hashes: map[string]map[string]string{}, Open: map[string]string{}, History: []Transition{}}
	if !empty.Equal(Checkpoint{}) || !empty.Equal(empty.Clone()) {
		t.Error("what is empty is stored as nothing")
	}
	local, utc := Checkpoint{Since: at, LastError: &Failure{At: at}, History: []Transition{{At: at}}}, at.UTC().Round(0)
	if !local.Equal(Checkpoint{Since: utc, LastError: &Failure{At: utc}, History: []Transition{{At: utc}}}) {
		t.Error("a time is stored in UTC")
	}
	long := Checkpoint{History: make([]Transition, HistoryLimit+1)}
	long.History[0].To = "dropped"
	if !long.Equal(Checkpoint{History: make([]Transition, HistoryLimit)}) {
		t.Error("what is not stored of the history counts")
	}
}
