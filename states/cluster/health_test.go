package cluster

import (
	"crypto/x509"
	"errors"
	"fmt"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// TestSeen covers every code of sys/health, including those that only Enterprise returns.
func TestSeen(t *testing.T) {
	for code, want := range map[int]fsm.Health{
		200: fsm.Active, 429: fsm.Standby, 472: fsm.DRSecondary, 473: fsm.PerformanceStandby, 474: fsm.StandbyCutOff,
		501: fsm.NotInitialized, 503: fsm.Sealed, 530: fsm.Removed, 418: fsm.NoAnswer,
	} {
		if got := seen("a", vault.Health{Code: code}, nil); got.Health != want {
			t.Errorf("%d: %q, want %q", code, got.Health, want)
		}
	}
	if got := seen("a", vault.Health{}, errors.New("connection refused")); got.Health != fsm.NoAnswer || got.Answer != "connection refused" {
		t.Errorf("no answer: %+v", got)
	}
}

func TestMisconfigured(t *testing.T) {
	unknown := fmt.Errorf("x: %w", x509.UnknownAuthorityError{})
	if err := misconfigured([]error{unknown, unknown}); fault.KindOf(err) != fault.Usage {
		t.Errorf("no replica is trusted: %v", err)
	}
	for name, errs := range map[string][]error{
		"one is":      {unknown, nil},
		"one is away": {unknown, errors.New("connection refused")},
		"expired":     {x509.CertificateInvalidError{Reason: x509.Expired}},
	} {
		if err := misconfigured(errs); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
