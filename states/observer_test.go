package states

import (
	"reflect"
	"slices"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// TestObserverCannotWrite lists every method that an Observer can reach through its fields.
// None of them changes Vault or a record, the login apart, which makes a token of its own.
// Whoever adds one that does has to take it from here.
func TestObserverCannotWrite(t *testing.T) {
	want := map[string][]string{
		"Servers":      {"Awaited", "Refresh", "Servers"},
		"Server":       {"Address", "Glimpse", "Health", "Leader", "Rekey", "RootAttempt", "SealStatus"},
		"RecordReader": {"Checkpoint", "Keys"},
		"AnswerSource": {"Name", "Read"},
		"PodReader":    {"Life", "Over"},
		"opener":       {"Accepted", "Close", "Flags", "Hint", "Lapse", "OnlyReads", "Ours", "RefusedForGood", "Try", "With"},
		"rootViewer":   {"InUse", "View"},
		"View":         {"Ask", "Capabilities", "Fields", "Identity", "List", "None", "Of", "Peek", "Read"},
	}
	got := map[string][]string{}
	note := func(kind reflect.Type) {
		for method := range kind.Methods() {
			got[kind.Name()] = append(got[kind.Name()], method.Name)
		}
		slices.Sort(got[kind.Name()])
	}
	observer := reflect.TypeFor[Observer]()
	for field := range observer.Fields() {
		kind := field.Type
		if kind.Kind() == reflect.Slice {
			kind = kind.Elem()
		}
		if kind.Kind() == reflect.Interface {
			note(kind)
		}
	}
	note(reflect.TypeFor[cluster.Server]())
	note(reflect.TypeFor[vault.View]())
	if !reflect.DeepEqual(got, want) {
		t.Errorf("an Observer reaches\n%v\nwant\n%v", got, want)
	}
}
