package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

func TestKindNameRemedy(t *testing.T) {
	cause := errors.New("cause")
	inner := fault.Stop("keys lost", cause, "start over")
	for _, test := range []struct {
		name   string
		err    error
		kind   fault.Kind
		called string
		remedy string
		text   string
	}{
		{"no kind", cause, fault.Transient, "", "", "cause"},
		{"wrapped", fmt.Errorf("locating: %w", inner), fault.Terminal, "keys lost", "start over", "locating: keys lost: cause"},
		{"outer kind wins, inner remedy serves", fault.Held(inner, ""), fault.Busy, "", "start over", "keys lost: cause"},
		{"usage", fault.Misuse(cause, "see --help"), fault.Usage, "", "see --help", "cause"},
		{"seed", fault.BadSeed(cause, ""), fault.Seed, "", "", "cause"},
		{"part", fault.Part(cause, "mend it"), fault.Partial, "", "mend it", "cause"},
		{"wait", fault.Wait(cause, "waiting"), fault.Transient, "", "waiting", "cause"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, want := fault.KindOf(test.err), test.kind; got != want {
				t.Errorf("KindOf = %v, want %v", got, want)
			}
			if got, want := fault.NameOf(test.err), test.called; got != want {
				t.Errorf("NameOf = %q, want %q", got, want)
			}
			if got, want := fault.RemedyOf(test.err), test.remedy; got != want {
				t.Errorf("RemedyOf = %q, want %q", got, want)
			}
			if got, want := test.err.Error(), test.text; got != want {
				t.Errorf("Error() = %q, want %q", got, want)
			}
			if !errors.Is(test.err, cause) {
				t.Error("the cause is lost")
			}
		})
	}
}

func TestKindString(t *testing.T) {
	for kind, want := range map[fault.Kind]string{
		fault.Transient: "transient", fault.Terminal: "terminal", fault.Usage: "usage",
		fault.Seed: "seed", fault.Busy: "busy", fault.Partial: "partial", fault.Kind(9): "kind 9",
	} {
		if got := kind.String(); got != want {
			t.Errorf("Kind(%d).String() = %q, want %q", int(kind), got, want)
		}
	}
}
