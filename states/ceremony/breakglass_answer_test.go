package ceremony

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// TestRemediesOfClosedEndpoints gives each product's answer the remedy that helps there.
func TestRemediesOfClosedEndpoints(t *testing.T) {
	said := func(status int, path string, words ...string) error {
		return &vault.Answer{Method: "GET", Path: path, Status: status, Messages: words}
	}
	closed := vault.Endpoints{Authenticated: true}
	for name, test := range map[string]struct {
		err      error
		via      vault.Endpoints
		openBao  bool
		rotation bool
	}{
		"OpenBao, generate-root":          {said(405, "sys/generate-root-token/attempt", "unsupported operation"), closed, true, false},
		"OpenBao 2.5.3, generate-root":    {said(404, "sys/generate-root-token/attempt", "unsupported path"), closed, true, false},
		"OpenBao, rekey":                  {said(403, "sys/rotate/root/init", "permission denied"), closed, true, true},
		"OpenBao, rekey of recovery keys": {said(404, "sys/rekey-recovery-key/init", "unsupported path"), closed, true, true},
		"Vault 2, generate-root":          {said(403, "sys/generate-root/attempt", "permission denied"), vault.Endpoints{}, false, false},
		"Vault 2, rekey":                  {said(400, "sys/rekey/init", "missing client token"), vault.Endpoints{}, false, true},
	} {
		err := rootRefused("https://vault:8200", test.via, test.err)
		if test.rotation {
			err = (&rotation{at: rekeyed{replica: &fakeVault{}}}).refused(test.via, test.err)
		}
		remedy := fault.RemedyOf(err)
		if strings.Contains(remedy, "OpenBao") != test.openBao || strings.Contains(remedy, "enable_unauthenticated_access") == test.openBao {
			t.Errorf("%s: %s", name, remedy)
		}
		if test.openBao && strings.Contains(remedy, "SIGHUP") {
			t.Errorf("%s: a listener's setting is not reloaded: %s", name, remedy)
		}
	}
}
