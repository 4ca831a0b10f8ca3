package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// operators makes a PGP key pair for each of n people, and the flag that names them.
func operators(t *testing.T, n int) (pairs []pgp.Pair, flag string) {
	t.Helper()
	var files []string
	for i := range n {
		pair, err := pgp.Generate(fmt.Sprintf("operator %d", i), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), fmt.Sprintf("operator-%d.pub", i))
		write(t, file, pair.Public)
		pairs, files = append(pairs, pair), append(files, file)
	}
	return pairs, "--pgp-keys=" + strings.Join(files, ",")
}

// custodyIn returns the custodians' shares in a keys record.
func custodyIn(t *testing.T, p *program) (messages []string) {
	t.Helper()
	var record struct {
		Set struct {
			Shares  []string
			Custody []struct{ Owner, Message string }
		}
	}
	if err := json.Unmarshal(p.keys(), &record); err != nil {
		t.Fatal(err)
	}
	if len(record.Set.Shares) > 0 {
		t.Error("the store holds shares that belong to operators")
	}
	for i, share := range record.Set.Custody {
		if want := fmt.Sprintf("operator %d", i); share.Owner != want {
			t.Errorf("share %d is of %q, want %q", i, share.Owner, want)
		}
		messages = append(messages, share.Message)
	}
	return messages
}

// TestCustody gives the shares to operators: nothing but their keys opens them, and
// the run goes on when they have unsealed.
func TestCustody(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	pairs, flag := operators(t, 3)
	p, _ := inFiles(t, cluster)
	custody := []string{flag, "--key-shares=3", "--key-threshold=2"}
	wantFailure(t, p.run("run", custody...), 70, "custodians must unseal", "operator 0", "operator 2", "vault operator unseal")
	if state := status(p)["state"]; state != "initialized" {
		t.Errorf("state is %v", state)
	}

	messages := custodyIn(t, p)
	if len(messages) != 3 {
		t.Fatalf("%d shares are stored", len(messages))
	}
	if _, err := pgp.Decrypt(pairs[1].Private, messages[0]); err == nil {
		t.Error("an operator can open another's share")
	}
	run := p.start("run", append(custody, "--wait-for-unseal")...)
	run.Says("waiting", 1)
	for i := range 2 {
		share, err := pgp.Decrypt(pairs[i].Private, messages[i])
		if err != nil {
			t.Fatal(err)
		}
		testbed.NoteSecrets(t, share.Reveal())
		if err := cluster.Nodes[0].Call(t.Context(), http.MethodPut, "sys/unseal", "", map[string]string{"key": share.Reveal()}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if r := run.Wait(); r.Code != 0 {
		t.Fatalf("exited with %d\n%s", r.Code, r)
	}
	if keysIn(t, p).Root != nil {
		t.Error("the store holds a root token")
	}
	wantEvents(t, "rerun", p.must(0, "run").Events())
}

func TestCustodyMisuse(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	pairs, flag := operators(t, 2)
	private := filepath.Join(t.TempDir(), "private")
	write(t, private, pairs[0].Private.Reveal())
	testbed.NoteSecrets(t, pairs[0].Private.Reveal())
	p, _ := inFiles(t, cluster)
	wantFailure(t, p.run("run", flag, "--key-shares=3", "--key-threshold=2"), 64, "2 keys for 3 shares")
	wantFailure(t, p.run("run", "--pgp-keys="+private, "--key-shares=1", "--key-threshold=1"), 64, "private key")
	wantFailure(t, p.run("run", "--pgp-keys=/does/not/exist", "--key-shares=1", "--key-threshold=1"), 64, "/does/not/exist")
	wantUninitialized(t, cluster)
}

// hardenedByCustodians returns a program with a hardened Vault whose shares operators
// hold, and two of the three shares that are needed.
func hardenedByCustodians(t *testing.T, cluster *testbed.VaultCluster) (*program, []string) {
	t.Helper()
	pairs, flag := operators(t, 3)
	p, _ := inFiles(t, cluster)
	custody := []string{flag, "--key-shares=3", "--key-threshold=2"}
	wantFailure(t, p.run("run", custody...), 70, "custodians must unseal")
	var given []string
	for i, message := range custodyIn(t, p)[:2] {
		share, err := pgp.Decrypt(pairs[i].Private, message)
		if err != nil {
			t.Fatal(err)
		}
		testbed.NoteSecrets(t, share.Reveal())
		given = append(given, share.Reveal())
		if err := cluster.Nodes[0].Call(t.Context(), http.MethodPut, "sys/unseal", "", map[string]string{"key": share.Reveal()}, nil); err != nil {
			t.Fatal(err)
		}
	}
	p.must(0, "run", custody...)
	return p, given
}
