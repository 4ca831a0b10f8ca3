package watch

import (
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
)

// TestAnyAway distinguishes a server that does not answer from one that is sealed.
func TestAnyAway(t *testing.T) {
	if anyAway([]fsm.Replica{{Health: fsm.Active}, {Health: fsm.Sealed}}) || !anyAway([]fsm.Replica{{Health: fsm.Active}, {Health: fsm.NoAnswer}}) {
		t.Error("a sealed server answers, and one that is down does not")
	}
}
