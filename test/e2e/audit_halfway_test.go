package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestAuditDeviceHalfway has Vault's storage fail at the moment at which an audit device is
// recorded, as a connection that breaks just then does. Vault 1.21 then has the device
// registered and refuses it for ever. The run must say what helps, and that must help.
func TestAuditDeviceHalfway(t *testing.T) {
	t.Parallel()
	if testbed.FactsFor(t).Product != testbed.Vault {
		testbed.NotApplicable(t, "it forgets an audit device that it could not record")
	}
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Storage: "file"})
	node := cluster.Nodes[0]
	dir := t.TempDir()
	seed := filepath.Join(dir, "seed.yaml")
	write(t, seed, "secrets:\n  - type: kv\n")
	p, _ := inFiles(t, cluster, "--seed="+seed)
	p.must(0, "run")

	table := filepath.Join(node.Dir, "data", "core", "_audit")
	if err := os.Rename(table, table+".aside"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(table, 0o700); err != nil { // nothing can be written here
		t.Fatal(err)
	}
	write(t, seed, "audit:\n  - {type: file, options: {file_path: "+filepath.Join(dir, "audit.log")+"}}\nsecrets:\n  - type: kv\n")
	const remedy = "Restart Vault's active node"
	wantFailure(t, p.run("run"), 1, "sys/audit/file")
	if err := os.Remove(table); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(table+".aside", table); err != nil {
		t.Fatal(err)
	}
	// Storage is well again, and Vault refuses still.
	wantFailure(t, p.run("run"), 1, "already registered", remedy)

	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, "the run after the remedy", p.must(0, "run").Events(), "seal", "unseal", "seed")
}
