package states

import (
	"crypto/x509"
	"errors"
	"fmt"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// TestSeen covers every code of sys/health, also those that only Enterprise shows.
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

func answered(status int, words string) error {
	return fmt.Errorf("doing: %w", &vault.Answer{Method: "PUT", Path: "x", Status: status, Messages: []string{words}})
}

func TestUnsealAnswer(t *testing.T) {
	for words, want := range map[string]fsm.FindingKind{
		"failed to setup audit table":                             fsm.AuditBlocks,
		"cipher: message authentication failed":                   fsm.SharesRefused,
		"failed to decrypt keys from storage":                     fsm.SharesRefused,
		"'key' must be a valid hex or base64 string":              fsm.SharesRefused,
		"local node not active but active cluster node not found": "",
		"context deadline exceeded":                               "",
		"failed to create cipher: crypto/aes: invalid key size 0": "",
	} {
		err := unsealAnswer("a", answered(500, words))
		finding, ok := errors.AsType[*fsm.Finding](err)
		if ok != (want != "") || ok && finding.Kind != want {
			t.Errorf("%q: %v", words, err)
		}
	}
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
		_, finds := errors.AsType[*fsm.Finding](err)
		if finds != test.finds || err != nil && fault.KindOf(err) != test.kind {
			t.Errorf("%d %q: %v (%v)", test.status, test.words, err, fault.KindOf(err))
		}
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
