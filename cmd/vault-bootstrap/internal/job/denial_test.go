package job

import (
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// TestDenial lets a refusal pass for as long as a new rule may take, and no longer.
func TestDenial(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	refused := fault.Wait(apierrors.NewForbidden(secrets, "x", errors.New(`User "u" cannot get resource "secrets" in API group "" in the namespace "n"`)), "Add a rule.")
	quota := fault.Wait(apierrors.NewForbidden(secrets, "x", errors.New("exceeded quota")), "Change it there.")
	began := time.Now()
	d := &Denial{}
	for _, step := range []struct {
		after time.Duration
		err   error
		kind  fault.Kind
	}{
		{0, refused, fault.Transient},
		{SettleTime - 1, refused, fault.Transient},
		{SettleTime, refused, fault.Usage},
		{SettleTime + 1, quota, fault.Transient}, // of admission: it may pass
		{SettleTime + 2, refused, fault.Transient},
		{2*SettleTime + 2, refused, fault.Usage},
	} {
		got := d.Judge(step.err, began.Add(step.after))
		if fault.KindOf(got) != step.kind || fault.RemedyOf(got) != fault.RemedyOf(step.err) || !strings.Contains(got.Error(), step.err.Error()) {
			t.Errorf("after %s: %v (%s)", step.after, got, fault.KindOf(got))
		}
	}
	if err := d.Judge(nil, began); err != nil {
		t.Error(err)
	}
}
