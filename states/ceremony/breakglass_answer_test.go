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
	for name, test := range map[string]struct {
		err       error
		openBao   bool
		operation func(string, error) error
	}{
		"OpenBao, generate-root":                {said(405, "sys/generate-root/attempt", "unsupported operation"), true, rootRefused},
		"OpenBao, rekey":                        {said(405, "sys/rekey/init", "unsupported operation"), true, rotateRefused},
		"OpenBao, rekey of recovery keys":       {said(404, "sys/rekey-recovery-key/init", "unsupported path"), true, rotateRefused},
		"Vault 2, generate-root":                {said(403, "sys/generate-root/attempt", "permission denied"), false, rootRefused},
		"Vault 2, rekey":                        {said(400, "sys/rekey/init", "missing client token"), false, rotateRefused},
		"something in between has no such path": {said(404, "sys/rekey/init"), false, rotateRefused},
	} {
		remedy := fault.RemedyOf(test.operation("https://vault:8200", test.err))
		if strings.Contains(remedy, "OpenBao: ") != test.openBao || strings.Contains(remedy, "Vault 2.0") == test.openBao {
			t.Errorf("%s: %s", name, remedy)
		}
		if test.openBao && strings.Contains(remedy, "SIGHUP") {
			t.Errorf("%s: a listener's setting is not reloaded: %s", name, remedy)
		}
	}
}
