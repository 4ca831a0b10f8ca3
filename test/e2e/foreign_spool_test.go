package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestForeignSpoolIsKept gives a run the spool of another installation, with the only copy
// of that one's keys in it. It must be named, and still be there for whom it belongs to.
func TestForeignSpoolIsKept(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	theirs, _ := inFiles(t, testbed.VaultFor(t, testbed.VaultOptions{}), "--spool-dir="+spool)
	killedAt(theirs, "initialize.spooled")
	left, err := filepath.Glob(filepath.Join(spool, "*.spool"))
	if err != nil || len(left) != 1 {
		t.Fatalf("spools: %v, %v", left, err)
	}
	before, attempt := read(t, left[0]), strings.TrimSuffix(filepath.Base(left[0]), ".spool")

	ours, _ := inFiles(t, testbed.VaultFor(t, testbed.VaultOptions{}), "--spool-dir="+spool)
	r := ours.run("run")
	if !strings.Contains(r.Stderr, attempt) {
		t.Errorf("nothing names the spool of another attempt, %s, in which the only copy of its keys is\n%s", attempt, r)
	}
	if again, _ := filepath.Glob(left[0]); len(again) != 1 || read(t, left[0]) != before {
		t.Fatalf("the spool of another cluster was changed or removed: its keys are lost\n%s", r)
	}
	wantEvents(t, "whom it belongs to", theirs.must(0, "run").Events(), "unseal", "seed", "harden")
}
