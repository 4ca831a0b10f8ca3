package states

import (
	"errors"
	"fmt"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

func answered(status int, words string) error {
	return fmt.Errorf("doing: %w", &vault.Answer{Method: "PUT", Path: "x", Status: status, Messages: []string{words}})
}

func TestInitAnswer(t *testing.T) {
	for _, test := range []struct {
		status int
		words  string
		kind   fault.Kind
		finds  bool
	}{
		{400, "cluster already has state", fault.Transient, true},
		{500, "cluster already has state", fault.Transient, true},
		{400, "Vault is already initialized", fault.Transient, false},
		{400, "invalid seal configuration: threshold must be greater than one", fault.Transient, true},
		{503, "no", fault.Transient, false},
	} {
		err := sortInitAnswer("a", answered(test.status, test.words))
		_, finds := errors.AsType[*fsm.Symptom](err)
		if finds != test.finds || err != nil && fault.KindOf(err) != test.kind {
			t.Errorf("%d %q: %v (%v)", test.status, test.words, err, fault.KindOf(err))
		}
	}
}
