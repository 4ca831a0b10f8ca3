package e2e

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// rotated is what the keys record says of an exchange.
type rotated struct {
	Set struct {
		Shares    []string
		Threshold int
	}
	Old      map[string]json.RawMessage
	Rotation *struct {
		Set *struct {
			Shares  []string
			Custody []struct{ Message string }
		}
	}
}

func rotatedIn(t *testing.T, p *program) rotated {
	t.Helper()
	var record rotated
	if err := json.Unmarshal(p.keys(), &record); err != nil {
		t.Fatal(err)
	}
	return record
}

// opens restarts the Vault, and has a run unseal it with what is stored.
func opens(t *testing.T, p *program, cluster *testbed.VaultCluster) {
	t.Helper()
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := health(t, cluster.Nodes[0]); code != http.StatusServiceUnavailable {
		t.Fatalf("after its restart Vault answers %d", code)
	}
	p.must(0, "run")
	if code := health(t, cluster.Nodes[0]); code != http.StatusOK {
		t.Errorf("Vault answers %d after the run", code)
	}
}

// TestRotate exchanges the shares: the new ones open the Vault, the old ones do not.
func TestRotate(t *testing.T) {
	p, cluster, _ := hardened(t)
	before := rotatedIn(t, p)
	p.must(0, "keys rotate", "--key-shares=4", "--key-threshold=2")
	after := rotatedIn(t, p)
	if len(after.Set.Shares) != 4 || after.Set.Threshold != 2 || len(after.Old) != 1 || after.Rotation != nil {
		t.Errorf("the record holds %d shares, threshold %d, %d old sets", len(after.Set.Shares), after.Set.Threshold, len(after.Old))
	}
	for _, share := range before.Set.Shares {
		if slices.Contains(after.Set.Shares, share) {
			t.Error("a share is as before")
		}
	}
	opens(t, p, cluster)

	list := p.must(0, "keys list").Stdout
	for _, text := range []string{"in force", "2 of 4", "earlier", "3 of 5", "this record"} {
		if !strings.Contains(list, text) {
			t.Errorf("keys list does not say %q:\n%s", text, list)
		}
	}
	for _, share := range append(before.Set.Shares, after.Set.Shares...) {
		if strings.Contains(list, share) || strings.Contains(p.must(0, "keys list", "-o", "json").Stdout, share) {
			t.Error("keys list shows a share")
		}
	}
}

// TestRotateKilled kills the exchange at every point. Whatever is in force then, the
// stored keys unseal the Vault; the next exchange works.
func TestRotateKilled(t *testing.T) {
	for _, point := range []string{"rotate.intent", "rotate.begun", "rotate.answered", "rotate.stored", "rotate.share", "rotate.verified", "rotate.done"} {
		t.Run(point, func(t *testing.T) {
			t.Run("restarted", func(t *testing.T) {
				p, cluster := rotationKilledAt(t, point)
				opens(t, p, cluster)
				p.must(0, "keys rotate")
				opens(t, p, cluster)
			})
			t.Run("still open", func(t *testing.T) {
				p, cluster := rotationKilledAt(t, point)
				p.must(0, "run")
				if record := rotatedIn(t, p); record.Rotation != nil {
					t.Error("the run did not settle the exchange")
				}
				opens(t, p, cluster)
			})
		})
	}
}

func rotationKilledAt(t *testing.T, point string) (*program, *testbed.VaultCluster) {
	t.Helper()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, _ := inFiles(t, cluster)
	p.must(0, "run")
	run := p.stopped(point, "keys rotate")
	run.Kill()
	return p, cluster
}

// TestRotateLeavesOthersAlone begins a rekey of somebody else's.
func TestRotateLeavesOthersAlone(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, _ := inFiles(t, cluster)
	p.must(0, "run")
	node := cluster.Nodes[0]
	var theirs struct{ Nonce string }
	if err := node.Call(t.Context(), http.MethodPut, "sys/rekey/init", "", map[string]int{"secret_shares": 1, "secret_threshold": 1}, &theirs); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, p.run("keys rotate"), 64, "a rekey is in progress", theirs.Nonce)
	p.must(0, "run")
	before := theirs.Nonce
	if err := node.Call(t.Context(), http.MethodGet, "sys/rekey/init", "", nil, &theirs); err != nil || theirs.Nonce != before {
		t.Errorf("their rekey is gone: %+v, %v", theirs, err)
	}
}

// TestRotateRecovery exchanges recovery keys, and makes a root token from the new ones.
func TestRotateRecovery(t *testing.T) {
	p, _ := autoUnsealed(t)
	p.must(0, "run")
	p.must(0, "keys rotate", "--key-shares=3", "--key-threshold=2")
	if record := rotatedIn(t, p); len(record.Set.Shares) != 3 || record.Rotation != nil {
		t.Errorf("the record holds %d shares", len(record.Set.Shares))
	}
	p.must(0, "break-glass exec", because, "--", "/bin/true")
}

// TestRotateCustody moves the shares from one group of operators to another.
func TestRotateCustody(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, present := hardenedByCustodians(t, cluster)
	file := filepath.Join(t.TempDir(), "present")
	write(t, file, strings.Join(present, "\n"))
	pairs, flag := operators(t, 3)
	wantFailure(t, p.run("keys rotate", flag), 64, "--shares-file")
	wantFailure(t, p.run("keys rotate", flag, "--shares-file="+file), 64, "operator 0", "--new-shares-file")
	record := rotatedIn(t, p)
	if record.Rotation == nil || record.Rotation.Set == nil || len(record.Rotation.Set.Custody) != 3 {
		t.Fatal("the new shares are not stored for their owners")
	}
	var fresh []string
	for i := range 2 {
		share, err := pgp.Decrypt(pairs[i+1].Private, record.Rotation.Set.Custody[i+1].Message)
		if err != nil {
			t.Fatal(err)
		}
		testbed.NoteSecrets(t, share.Reveal())
		fresh = append(fresh, share.Reveal())
	}
	p.must(0, "run") // leaves the exchange that waits for people alone
	newFile := filepath.Join(t.TempDir(), "new")
	write(t, newFile, strings.Join(fresh, "\n"))
	p.must(0, "keys rotate", "--new-shares-file="+newFile)
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, share := range fresh {
		if err := cluster.Nodes[0].Call(t.Context(), http.MethodPut, "sys/unseal", "", map[string]string{"key": share}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if code := health(t, cluster.Nodes[0]); code != http.StatusOK {
		t.Errorf("the new shares do not open the Vault: %d", code)
	}
}

// decrypted returns a file with the new shares of the exchange on record that belong to the first
// operators, as these decrypt them.
func decrypted(t *testing.T, p *program, pairs []pgp.Pair) string {
	t.Helper()
	record := rotatedIn(t, p)
	if record.Rotation == nil || record.Rotation.Set == nil {
		t.Fatal("the new shares are not stored for their owners")
	}
	var shares []string
	for i, pair := range pairs {
		share, err := pgp.Decrypt(pair.Private, record.Rotation.Set.Custody[i].Message)
		if err != nil {
			t.Fatal(err)
		}
		testbed.NoteSecrets(t, share.Reveal())
		shares = append(shares, share.Reveal())
	}
	return kept(t, strings.Join(shares, "\n"))
}
