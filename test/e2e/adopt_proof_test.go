package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// barrier returns the files in which Vault with file storage keeps the keys of its
// barrier and of its seal.
func barrier(t *testing.T, cluster *testbed.VaultCluster) string {
	t.Helper()
	var found strings.Builder
	for _, name := range []string{"_keyring", "_master", "_seal-config", "_shamir-kek", "_recovery-key", "_recovery-config", "hsm/_barrier-unseal-keys", "_unseal-keys-backup"} {
		content, err := os.ReadFile(filepath.Join(cluster.Nodes[0].Dir, "data", "core", name))
		if err == nil {
			fmt.Fprintf(&found, "%s %s\n", name, content)
		}
	}
	if !strings.Contains(found.String(), "_barrier-unseal-keys") {
		t.Fatalf("the barrier's files are not where they were:\n%s", found.String())
	}
	return found.String()
}

type rekeying struct {
	Started  bool
	Nonce    string
	Progress int
}

func rekeyStatus(t *testing.T, node *testbed.VaultNode, kind string) rekeying {
	t.Helper()
	var status rekeying
	if err := node.Call(t.Context(), http.MethodGet, "sys/rekey"+kind+"/init", "", nil, &status); err != nil {
		t.Fatal(err)
	}
	return status
}

// TestAdoptLeavesARekeyAlone has somebody else in the middle of a rekey.
func TestAdoptLeavesARekeyAlone(t *testing.T) {
	cluster, keys := foreign(t, testbed.VaultOptions{})
	node := cluster.Nodes[0]
	var begun rekeying
	if err := node.Call(t.Context(), http.MethodPut, "sys/rekey/init", "", map[string]any{"secret_shares": 5, "secret_threshold": 3}, &begun); err != nil {
		t.Fatal(err)
	}
	if err := node.Call(t.Context(), http.MethodPut, "sys/rekey/update", "", map[string]any{"nonce": begun.Nonce, "key": keys.Shares[0]}, nil); err != nil {
		t.Fatal(err)
	}
	before := rekeyStatus(t, node, "")
	p, _ := inFiles(t, cluster)
	file := kept(t, initJSON(t, keys))
	wantFailure(t, p.run("adopt", "--keys-file="+file, "--revoke-token"), 64, "a rekey is in progress", begun.Nonce, "-cancel")
	if after := rekeyStatus(t, node, ""); after != before || after.Progress != 1 {
		t.Errorf("the rekey was %+v, is %+v", before, after)
	}
	if hasKeys(t, p) {
		t.Error("keys were stored")
	}
	if err := node.Call(t.Context(), http.MethodDelete, "sys/rekey/init", "", map[string]any{"nonce": begun.Nonce}, nil); err != nil {
		t.Fatal(err)
	}
	// The proof by a rekey of our own leaves Vault's keys as they are.
	untouched := barrier(t, cluster)
	p.must(0, "adopt", "--keys-file="+file, "--revoke-token", "--until=initialized")
	if barrier(t, cluster) != untouched {
		t.Error("the proof changed Vault's own keys")
	}
	if rekeyStatus(t, node, "").Started {
		t.Error("a rekey was left behind")
	}
	t.Run("again, with the same keys and with others", func(t *testing.T) {
		again := p.must(0, "adopt", "--keys-file="+file, "--revoke-token")
		if len(again.Log("these keys are stored already")) != 1 {
			t.Errorf("it was adopted twice\n%s", again)
		}
		_, others := foreign(t, testbed.VaultOptions{})
		wantFailure(t, p.run("adopt", "--keys-file="+kept(t, initJSON(t, others)), "--revoke-token"), 64, "keys are stored already")
	})
	wantAdopted(t, p, cluster, keys)
}

// TestAdoptCallsOffWhatItLostSightOf loses the answers of the rekey that proves the
// shares, one at a time.
func TestAdoptCallsOffWhatItLostSightOf(t *testing.T) {
	for name, fault := range map[string]testbed.Fault{
		"the beginning": {Method: http.MethodPut, Path: "/v1/sys/rekey/init", Times: 1, After: true, Cut: true},
		"a share":       {Method: http.MethodPut, Path: "/v1/sys/rekey/update", Times: 1, After: true, Cut: true},
		"the end":       {Method: http.MethodDelete, Path: "/v1/sys/rekey/init", Times: 1, After: true, Cut: true},
		"the wish":      {Method: http.MethodDelete, Path: "/v1/sys/rekey/init", Times: 2, Cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, keys := foreign(t, testbed.VaultOptions{})
			proxy := proxied(t, cluster)
			hits := proxy.Inject(fault)
			p, _ := inFiles(t, nil, "--vault-addr="+proxy.URL)
			before := barrier(t, cluster)
			p.must(0, "adopt", "--keys-file="+kept(t, initJSON(t, keys)), "--revoke-token", "--until=initialized")
			if hits() != fault.Times {
				t.Errorf("%d requests suffered, want %d", hits(), fault.Times)
			}
			if barrier(t, cluster) != before {
				t.Error("the proof changed Vault's own keys")
			}
			if status := rekeyStatus(t, cluster.Nodes[0], ""); status.Started {
				t.Errorf("a rekey was left behind: %+v", status)
			}
		})
	}
}

// TestAdoptAutoUnseal takes over recovery keys, which only a rekey can prove.
func TestAdoptAutoUnseal(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Seal: transitSeal(t)})
	node := cluster.Nodes[0]
	var said map[string]any
	if err := node.Call(t.Context(), http.MethodPut, "sys/init", "", map[string]any{"recovery_shares": 4, "recovery_threshold": 2}, &said); err != nil {
		t.Fatal(err)
	}
	var keys testbed.VaultKeys
	for _, share := range said["recovery_keys_base64"].([]any) {
		keys.Shares = append(keys.Shares, share.(string))
	}
	keys.RootToken, keys.Threshold = said["root_token"].(string), 2
	testbed.NoteSecrets(t, append(keys.Shares, keys.RootToken)...)
	content, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := inFiles(t, cluster)
	_, others := foreign(t, testbed.VaultOptions{})
	token := "--token-file=" + kept(t, keys.RootToken)
	wantFailure(t, p.run("adopt", "--keys-file="+kept(t, strings.Join(others.Shares[:2], "\n")), token, "--revoke-token"), 64, "not those of")
	wantFailure(t, p.run("adopt", "--keys-file="+kept(t, initJSON(t, others)), token, "--revoke-token"), 64, "these are unseal keys")
	if hasKeys(t, p) || rekeyStatus(t, node, "-recovery-key").Started {
		t.Error("a refused adoption has left something")
	}
	before := barrier(t, cluster)
	p.must(0, "adopt", "--keys-file="+kept(t, string(content)), "--revoke-token", "--until=initialized")
	if barrier(t, cluster) != before {
		t.Error("the proof changed Vault's own keys")
	}
	p.must(0, "run")
	stored := keysIn(t, p)
	if stored.Set == nil || stored.Set.Kind != "recovery" || len(stored.Set.Shares) != 4 || stored.Set.Threshold != 2 {
		t.Errorf("stored %+v", stored.Set)
	}
	// The recovery keys are still good.
	var begun rekeying
	if err := node.Call(t.Context(), http.MethodPut, "sys/generate-root/attempt", "", map[string]any{}, &begun); err != nil {
		t.Fatal(err)
	}
	for _, share := range keys.Shares[2:] {
		if err := node.Call(t.Context(), http.MethodPut, "sys/generate-root/update", "", map[string]any{"nonce": begun.Nonce, "key": share}, nil); err != nil {
			t.Errorf("a recovery key is refused: %v", err)
		}
	}
}

// transitSeal starts a second Vault and returns the seal stanza that uses it.
func transitSeal(t *testing.T) string {
	t.Helper()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	keys, err := cluster.Initialize(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, append(keys.Shares, keys.RootToken)...)
	if err := cluster.Unseal(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	node := cluster.Nodes[0]
	if err := node.Call(t.Context(), http.MethodPost, "sys/mounts/transit", keys.RootToken, map[string]any{"type": "transit"}, nil); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("seal \"transit\" {\n  address    = %q\n  token      = %q\n  key_name   = \"unseal\"\n  mount_path = \"transit/\"\n}\n", node.Addr, keys.RootToken)
}
