package testbed_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestFacts asks the server that the suites run against, and holds what it answers to what
// its product documents.
func TestFacts(t *testing.T) {
	t.Parallel()
	f := testbed.FactsFor(t)
	t.Logf("%s: audit devices by API %v, generate-root %v and rekey %v without a token, namespaces %v",
		f, f.AuditByAPI, f.GenerateRoot, f.Rekey, f.Namespaces)
	vault := f.Product == testbed.Vault
	for name, got := range map[string]bool{
		"audit devices by API": f.AuditByAPI, "generate-root without a token": f.GenerateRoot, "rekey without a token": f.Rekey,
		"no namespaces": !f.Namespaces, "AWS in the catalog": f.BuiltIn("auth", "aws"),
	} {
		if got != vault {
			t.Errorf("%s: got %v of %s", name, got, f)
		}
	}
	if !f.BuiltIn("auth", "userpass") || !f.BuiltIn("secret", "kv") || f.BuiltIn("auth", "kv") {
		t.Errorf("the catalog of %s was not read", f)
	}
}

// TestOpened starts the server as most tests do: what its product closes is open.
func TestOpened(t *testing.T) {
	t.Parallel()
	c := testbed.VaultFor(t, testbed.VaultOptions{})
	keys := initialize(t, c, 1, 1)
	n := c.Nodes[0]
	device := map[string]any{"type": "file", "options": map[string]string{"file_path": filepath.Join(n.Dir, "audit.log")}}
	call(t, n, "PUT", "sys/audit/file", keys.RootToken, device, nil)
	root, err := n.GenerateRoot(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	call(t, n, "GET", "auth/token/lookup-self", root, nil, nil)
	call(t, n, "GET", "sys/rekey/init", "", nil, nil)
}

// TestDeclareAudit has a device that needs no API where the product wants it so.
func TestDeclareAudit(t *testing.T) {
	t.Parallel()
	c := testbed.VaultFor(t, testbed.VaultOptions{Guarded: true})
	log := filepath.Join(t.TempDir(), "audit.log")
	options := map[string]string{"file_path": log, "log_raw": "true"}
	if err := c.DeclareAudit(t.Context(), testbed.AuditDevice{Type: "file", Path: "declared", Options: options}); err != nil {
		t.Fatal(err)
	}
	keys := initialize(t, c, 1, 1)
	if testbed.FactsFor(t).AuditByAPI {
		call(t, c.Nodes[0], "PUT", "sys/audit/declared", keys.RootToken, map[string]any{"type": "file", "options": options}, nil)
	}
	call(t, c.Nodes[0], "GET", "sys/mounts", keys.RootToken, nil, nil)
	content, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(content), "sys/mounts") {
		t.Errorf("the audit log: %v, %q", err, content)
	}
}

func TestReadServer(t *testing.T) {
	t.Parallel()
	stranger := filepath.Join(t.TempDir(), "stranger")
	if err := os.WriteFile(stranger, []byte("#!/bin/sh\necho Consul v1.22.0\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for binary, want := range map[string]string{
		stranger:                  "neither Vault nor OpenBao",
		"/nowhere/at/all/a/vault": "no such file",
	} {
		if _, err := testbed.ReadServer(t.Context(), binary); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", binary, err, want)
		}
	}
}
