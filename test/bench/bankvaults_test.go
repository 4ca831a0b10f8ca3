package bench

import (
	"os"
	"path/filepath"
	"testing"
)

// bankVaults is the program of bank-vaults to be measured beside ours; empty if there is
// none.
func bankVaults() string { return os.Getenv("BANK_VAULTS") }

// configure has bank-vaults apply the seed once, as its container does.
func configure(b *testing.B, s *server) {
	b.Helper()
	keys := filepath.Join(s.cluster.Dir, "bank-vaults")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(keys, "vault-root"), []byte(s.root), 0o600); err != nil {
		b.Fatal(err)
	}
	command := s.command(bankVaults(), "configure", "--once", "--fatal", "--mode=file", "--file-path="+keys, "--vault-config-file="+s.seed)
	command.Env = []string{"VAULT_ADDR=" + s.addr}
	succeeds(b, command)
}
