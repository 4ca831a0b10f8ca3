package e2e

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestBothVersions has the last program that knows no encrypted record beside this one: it makes an
// installation, which this one encrypts; from then on it refuses the record by name and changes
// nothing; and it works again once the keys are stored in clear.
func TestBothVersions(t *testing.T) {
	earlier, err := driver.Earlier(t.Context(), driver.LastClear)
	if errors.Is(err, driver.ErrNoHistory) {
		t.Skipf("NOT TRIED beside the earlier program %.7s: %v", driver.LastClear, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	cluster, ours := testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t)
	p, dir := inFiles(t, cluster)
	raw, flags := p.keys, p.flags
	old := func(code int, verb string, flags ...string) driver.Result {
		t.Helper()
		return p.drive(p.command(earlier, verb, flags...)).Exits(code)
	}
	old(0, "run")
	p.must(0, "run")
	old(0, "run") // both at work, in clear

	encrypted := []string{"--keys-to=" + ours.recipient, "--keys-identity=" + ours.file}
	opened := ours.opens(t, raw)
	p.flags, p.keys = append(append([]string{}, flags...), encrypted...), opened
	p.must(0, "run")
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	p.flags = flags
	for verb, extra := range map[string][]string{"run": {"--timeout=10s"}, "post-start": {"--timeout=10s"}, "keys list": nil, "keys rotate": nil} {
		r := p.drive(p.command(earlier, verb, extra...)).Wait()
		if !strings.Contains(r.Stdout+r.Stderr, "record from a later version") && !strings.Contains(r.Stdout+r.Stderr, "newer vault-bootstrap") {
			t.Errorf("the earlier %s does not say what is wrong: %s", verb, r)
		}
	}
	watch := p.drive(p.command(earlier, "watch", "--listen=127.0.0.1:0"))
	watch.Says("newer vault-bootstrap", 1)
	watch.Send(syscall.SIGTERM)
	watch.Wait()
	if after := files(t, dir); !bytes.Equal(before["vault-bootstrap-keys.json"], after["vault-bootstrap-keys.json"]) || !bytes.Equal(before["vault-bootstrap-state.json"], after["vault-bootstrap-state.json"]) {
		t.Error("the earlier program changed a record")
	}
	p.flags = append(append([]string{}, flags...), encrypted...)
	p.must(0, "run") // and this one goes on

	// The way back: an export, and an import without recipients.
	export := filepath.Join(t.TempDir(), "keys.age")
	p.must(0, "keys export", "--to="+ours.recipient, "--out="+export)
	p.flags, p.keys = flags, raw
	if err := os.Remove(filepath.Join(dir, "vault-bootstrap-keys.json")); err != nil {
		t.Fatal(err)
	}
	p.must(0, "keys import", "--from="+export, "--keys-identity="+ours.file)
	// The checkpoint has fields that the earlier program does not know, and is made anew.
	if err := os.Remove(filepath.Join(dir, "vault-bootstrap-state.json")); err != nil {
		t.Fatal(err)
	}
	old(0, "run")
	p.must(0, "run")
}

// files returns the content of the files in a directory, by name.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		if found[entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return found
}
