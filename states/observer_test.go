package states

import (
	"reflect"
	"slices"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// TestObserverCannotWrite lists every method that an Observer can reach through its fields, and
// through those of its parts. None of them changes Vault or a record, except for the login, which
// creates its own token. No method that writes may be added here.
func TestObserverCannotWrite(t *testing.T) {
	want := map[string][]string{
		"Servers":      {"Awaited", "Refresh", "Servers"},
		"Server":       {"Address", "Glimpse", "Health", "Leader", "Rekey", "RootAttempt", "SealStatus"},
		"RecordReader": {"Checkpoint", "Keys", "Outline"},
		"AnswerSource": {"Name", "Read"},
		"PodReader":    {"Ended", "Life"},
		"opener":       {"Accepted", "Close", "Flags", "Hint", "Lapse", "OnlyReads", "Ours", "RefusedPermanently", "Try", "With"},
		"rootViewer":   {"InUse", "View"},
		"View":         {"Ask", "Capabilities", "Deletable", "Fields", "Identity", "InRoot", "List", "None", "Of", "Peek", "Read"},
		// Open logs in by a Dialer, which an Observer does not have.
		"Method": {"Denied", "Flags", "Hint", "Name", "Objects", "Open", "Settles"},
		// What is given as a function.
		"func": {"Around", "Digest", "Now", "Record"},
	}
	got := map[string][]string{}
	note := func(kind reflect.Type) {
		if _, known := got[kind.Name()]; known {
			return
		}
		for method := range kind.Methods() {
			got[kind.Name()] = append(got[kind.Name()], method.Name)
		}
		slices.Sort(got[kind.Name()])
	}
	seen := map[reflect.Type]bool{}
	var visit func(name string, kind reflect.Type)
	visit = func(name string, kind reflect.Type) {
		switch kind.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(name, kind.Elem())
		case reflect.Interface:
			note(kind)
		case reflect.Func:
			if !slices.Contains(got["func"], name) {
				got["func"] = append(got["func"], name)
			}
		case reflect.Struct:
			if seen[kind] || kind.PkgPath() != reflect.TypeFor[Observer]().PkgPath() {
				return // others' structs are data
			}
			seen[kind] = true
			for field := range kind.Fields() {
				visit(field.Name, field.Type)
			}
		}
	}
	visit("", reflect.TypeFor[Observer]())
	slices.Sort(got["func"])
	note(reflect.TypeFor[cluster.Server]())
	note(reflect.TypeFor[vault.View]())
	if !reflect.DeepEqual(got, want) {
		t.Errorf("an Observer reaches\n%v\nwant\n%v", got, want)
	}
}

// TestObserverHoldsNoSession checks that no field of an Observer is a struct that can write: a
// session, a cluster or the access itself.
func TestObserverHoldsNoSession(t *testing.T) {
	forbidden := []string{"Session", "Cluster", "Access", "Administrator", "BreakGlass", "held", "Delivery"}
	seen := map[reflect.Type]bool{}
	var visit func(path string, kind reflect.Type)
	visit = func(path string, kind reflect.Type) {
		switch kind.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(path, kind.Elem())
		case reflect.Struct:
			if slices.Contains(forbidden, kind.Name()) {
				t.Errorf("%s is a %s", path, kind)
			}
			if seen[kind] {
				return
			}
			seen[kind] = true
			if kind.PkgPath() == reflect.TypeFor[Observer]().PkgPath() {
				for field := range kind.Fields() {
					visit(path+"."+field.Name, field.Type)
				}
			}
		}
	}
	visit("Observer", reflect.TypeFor[Observer]())
}
