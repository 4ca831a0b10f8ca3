package main

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// TestChildEnvironment checks that TLS flags take precedence over the variables in the command's
// environment, too.
func TestChildEnvironment(t *testing.T) {
	options := job.VaultOptions{CACert: "ours.pem", ClientCert: "me.pem", ClientKey: "me.key", SkipVerify: true}
	got := childEnvironment(
		[]string{"HOME=/h", "VAULT_TOKEN=old", "VAULT_ADDR=http://old", "VAULT_CACERT=old.pem", "VAULT_TLS_SERVER_NAME=vault"},
		"https://vault-0:8200", secret.New("new"), options.Variables())
	slices.Sort(got)
	want := []string{
		"HOME=/h", "VAULT_ADDR=https://vault-0:8200", "VAULT_CACERT=ours.pem", "VAULT_CLIENT_CERT=me.pem", "VAULT_CLIENT_KEY=me.key",
		"VAULT_SKIP_VERIFY=true", "VAULT_TLS_SERVER_NAME=vault", "VAULT_TOKEN=new",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the command gets %q, want %q", got, want)
	}
}

// TestSignalBeforeTheCommand ends as a command does that a signal ends.
func TestSignalBeforeTheCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := (&program{}).runChild(ctx, "/bin/true", []string{"/bin/true"}, nil)
	if ended, ok := errors.AsType[*childError](err); !ok || ended.code != 143 {
		t.Errorf("it ends with %v", err)
	}
}
