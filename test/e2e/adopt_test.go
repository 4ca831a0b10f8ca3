package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// foreign initializes a Vault as somebody else would, and leaves it open.
func foreign(t *testing.T, options testbed.VaultOptions) (*testbed.VaultCluster, testbed.VaultKeys) {
	t.Helper()
	cluster := testbed.VaultFor(t, options)
	keys, err := cluster.Initialize(t.Context(), 5, 3)
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, append(keys.Shares, keys.RootToken)...)
	if err := cluster.Unseal(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	return cluster, keys
}

// kept writes content into a file of the test and returns its path.
func kept(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kept")
	write(t, path, content)
	return path
}

// initJSON is what 'vault operator init -format=json' prints.
func initJSON(t *testing.T, keys testbed.VaultKeys) string {
	t.Helper()
	content, err := json.Marshal(map[string]any{
		"unseal_keys_b64": keys.Shares, "unseal_shares": len(keys.Shares), "unseal_threshold": keys.Threshold,
		"recovery_keys_b64": []string{}, "recovery_keys_threshold": 0, "root_token": keys.RootToken,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func inHex(t *testing.T, share string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(share)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(raw)
}

func seal(t *testing.T, cluster *testbed.VaultCluster) {
	t.Helper()
	for _, node := range cluster.Nodes {
		if err := node.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAdoptFromFiles takes a Vault over from each form of file, open and sealed.
func TestAdoptFromFiles(t *testing.T) {
	for name, test := range map[string]struct {
		sealed bool
		flags  func(t *testing.T, keys testbed.VaultKeys) []string
	}{
		"JSON of operator init, open": {false, func(t *testing.T, keys testbed.VaultKeys) []string {
			return []string{"--keys-file=" + kept(t, initJSON(t, keys))}
		}},
		"JSON of operator init, sealed": {true, func(t *testing.T, keys testbed.VaultKeys) []string {
			return []string{"--keys-file=" + kept(t, initJSON(t, keys))}
		}},
		"a share per line, sealed": {true, func(t *testing.T, keys testbed.VaultKeys) []string {
			return []string{"--keys-file=" + kept(t, strings.Join(keys.Shares, "\n")+"\n"), "--token-file=" + kept(t, keys.RootToken+"\n")}
		}},
		"a share per file, open": {false, func(t *testing.T, keys testbed.VaultKeys) []string {
			flags := []string{"--token-file=" + kept(t, keys.RootToken)}
			for i, share := range keys.Shares {
				if i%2 == 0 {
					share = inHex(t, share)
				}
				flags = append(flags, "--keys-file="+kept(t, share))
			}
			return flags
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, keys := foreign(t, testbed.VaultOptions{})
			if test.sealed {
				seal(t, cluster)
			}
			seed, _ := exampleSeed(t)
			p, _ := inFiles(t, cluster, "--seed="+seed)
			adopted := p.must(0, "adopt", append(test.flags(t, keys), "--revoke-token")...)
			wantEvents(t, "adoption", adopted.events(), "seed", "harden")
			wantAdopted(t, p, cluster, keys)
		})
	}
}

// wantAdopted checks that the keys are ours and open the Vault, and that the root
// token is dead.
func wantAdopted(t *testing.T, p *program, cluster *testbed.VaultCluster, keys testbed.VaultKeys) {
	t.Helper()
	stored := keysIn(t, p)
	if stored.Set == nil || len(stored.Set.Shares) != len(keys.Shares) || stored.Set.Threshold != keys.Threshold || stored.Root != nil {
		t.Fatalf("stored %+v", stored.Set)
	}
	for i, share := range keys.Shares {
		if stored.Set.Shares[i] != share {
			t.Errorf("share %d is another one", i+1)
		}
	}
	active, err := cluster.Active(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := active.Call(t.Context(), http.MethodGet, "auth/token/lookup-self", keys.RootToken, nil, nil); err == nil {
		t.Error("the root token still works")
	}
	seal(t, cluster)
	wantEvents(t, "run after a restart", p.must(0, "run").events(), "seal", "unseal")
}

// TestAdoptRefuses gives keys that are not right, and finds nothing stored and Vault
// as it was.
func TestAdoptRefuses(t *testing.T) {
	cluster, keys := foreign(t, testbed.VaultOptions{})
	_, others := foreign(t, testbed.VaultOptions{})
	weak := struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}{}
	node := cluster.Nodes[0]
	if err := node.Call(t.Context(), http.MethodPost, "auth/token/create", keys.RootToken, map[string]any{"policies": []string{"default"}}, &weak); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, weak.Auth.ClientToken)
	mixed := others
	mixed.RootToken = keys.RootToken
	before := barrier(t, cluster)
	good, token := kept(t, strings.Join(keys.Shares, "\n")), "--token-file="+kept(t, keys.RootToken)
	for name, test := range map[string]struct {
		flags []string
		says  []string
	}{
		"no keys":              {[]string{token}, []string{"no keys are given", "--keys-file"}},
		"two sources":          {[]string{"--keys-file=" + good, "--keys-from-secret=x"}, []string{"exclude each other"}},
		"no such file":         {[]string{"--keys-file=/does/not/exist"}, []string{"/does/not/exist"}},
		"no share":             {[]string{"--keys-file=" + kept(t, "hunter2"), token}, []string{"no key share", "operator init"}},
		"too few":              {[]string{"--keys-file=" + kept(t, strings.Join(keys.Shares[:2], "\n")), token}, []string{"2 shares are given", "asks for 3"}},
		"one of another set":   {[]string{"--keys-file=" + kept(t, strings.Join(append(keys.Shares[:4:4], others.Shares[4]), "\n")), token}, []string{"share 5 does not belong"}},
		"another Vault's":      {[]string{"--keys-file=" + kept(t, initJSON(t, mixed))}, []string{"not those of", "message authentication failed"}},
		"another's token":      {[]string{"--keys-file=" + kept(t, initJSON(t, others))}, []string{"refuses the root token", "generate-root"}},
		"a weak token":         {[]string{"--keys-file=" + good, "--token-file=" + kept(t, weak.Auth.ClientToken)}, []string{"no root token", "default"}},
		"no token, no login":   {[]string{"--keys-file=" + good}, []string{"no root token is given", "generate-root"}},
		"a Secret in no store": {[]string{"--keys-from-secret=x", token}, []string{"needs the records in Kubernetes"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := inFiles(t, cluster)
			wantFailure(t, p.run("adopt", append(test.flags, "--revoke-token", "--timeout=20s")...), 64, test.says...)
			if hasKeys(t, p) {
				t.Error("keys were stored")
			}
			if status := rekeyStatus(t, node, ""); status.Started {
				t.Errorf("a rekey was left behind: %+v", status)
			}
		})
	}
	t.Run("the token is not given away silently", func(t *testing.T) {
		p, _ := inFiles(t, cluster)
		wantFailure(t, p.run("adopt", "--keys-file="+good, token), 64, "would be revoked", "--revoke-token")
	})
	t.Run("nothing changed", func(t *testing.T) {
		if after := barrier(t, cluster); after != before {
			t.Errorf("Vault's own keys changed:\n%s\nbefore:\n%s", after, before)
		}
		if err := node.Call(t.Context(), http.MethodGet, "auth/token/lookup-self", keys.RootToken, nil, nil); err != nil {
			t.Errorf("the root token: %v", err)
		}
	})
	t.Run("wrong keys for a sealed Vault", func(t *testing.T) {
		seal(t, cluster)
		p, _ := inFiles(t, cluster)
		wantFailure(t, p.run("adopt", "--keys-file="+kept(t, initJSON(t, others)), "--revoke-token"), 64, "not those of", "was rekeyed")
		var status struct {
			Sealed   bool
			Progress int
		}
		if err := node.Call(t.Context(), http.MethodGet, "sys/seal-status", "", nil, &status); err != nil || !status.Sealed || status.Progress != 0 {
			t.Errorf("the seal's status is %+v, %v", status, err)
		}
		if hasKeys(t, p) {
			t.Error("keys were stored")
		}
	})
	t.Run("the old shares still open it", func(t *testing.T) {
		if err := cluster.Unseal(t.Context(), keys); err != nil {
			t.Error(err)
		}
	})
}

// hasKeys reports whether the record holds a set of keys or a root token.
func hasKeys(t *testing.T, p *program) bool {
	t.Helper()
	if len(p.keys()) == 0 {
		return false
	}
	stored := keysIn(t, p)
	return stored.Set != nil || stored.Root != nil
}

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
		if len(again.lines("these keys are stored already")) != 1 {
			t.Errorf("it was adopted twice\n%s", again)
		}
		_, others := foreign(t, testbed.VaultOptions{})
		wantFailure(t, p.run("adopt", "--keys-file="+kept(t, initJSON(t, others)), "--revoke-token"), 64, "keys are stored already")
	})
	wantAdopted(t, p, cluster, keys)
}

// TestAdoptIsCutOff kills an adoption between its proof and the store, and after it.
func TestAdoptIsCutOff(t *testing.T) {
	for _, point := range []string{"adopt.proven", "adopt.stored"} {
		t.Run(point, func(t *testing.T) {
			cluster, keys := foreign(t, testbed.VaultOptions{})
			p, _ := inFiles(t, cluster)
			flags := []string{"--keys-file=" + kept(t, initJSON(t, keys)), "--revoke-token"}
			run := p.start(stoppable, "adopt", []string{"VAULT_BOOTSTRAP_STOP_AT=" + point}, flags...)
			run.stoppedAt(point)
			run.signal(syscall.SIGKILL)
			run.wait()
			if stored := hasKeys(t, p); stored != (point == "adopt.stored") {
				t.Errorf("at %s keys are stored: %v", point, stored)
			}
			p.must(0, "adopt", flags...)
			wantAdopted(t, p, cluster, keys)
		})
	}
}

func TestAdoptUninitialized(t *testing.T) {
	_, keys := foreign(t, testbed.VaultOptions{})
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, _ := inFiles(t, cluster)
	wantFailure(t, p.run("adopt", "--keys-file="+kept(t, initJSON(t, keys)), "--revoke-token"), 64, "uninitialized", "vault-bootstrap run")
	wantUninitialized(t, cluster)
}

// TestAdoptWithSealedStandby proves the shares on the one replica that is sealed.
func TestAdoptWithSealedStandby(t *testing.T) {
	cluster, keys := foreign(t, testbed.VaultOptions{Nodes: 3, TLS: true})
	if err := standbyOf(t, cluster).Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, _ := inFiles(t, cluster)
	adopted := p.must(0, "adopt", "--keys-file="+kept(t, initJSON(t, keys)), "--revoke-token")
	if len(adopted.lines("unsealed")) != 1 {
		t.Errorf("not proven on the sealed standby\n%s", adopted)
	}
	wantAdopted(t, p, cluster, keys)
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
	wantFailure(t, p.run("adopt", "--keys-file="+kept(t, strings.Join(others.Shares, "\n")), token, "--revoke-token"), 64, "not those of")
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

// TestAdoptFromSecret takes keys from Secrets that others have made.
func TestAdoptFromSecret(t *testing.T) {
	for name, data := range map[string]func(t *testing.T, keys testbed.VaultKeys) map[string]string{
		"bank-vaults": func(t *testing.T, keys testbed.VaultKeys) map[string]string {
			data := map[string]string{"vault-root": keys.RootToken, "vault-test": "vault-test"}
			for i, share := range keys.Shares {
				data[fmt.Sprintf("vault-unseal-%d", i)] = inHex(t, share)
			}
			return data
		},
		"our record": func(t *testing.T, keys testbed.VaultKeys) map[string]string {
			record, err := json.Marshal(map[string]any{
				"version": 1, "epoch": 7, "root": map[string]any{"token": keys.RootToken, "accessor": ""},
				"set": map[string]any{"kind": "unseal", "shares": keys.Shares, "threshold": keys.Threshold, "cluster_id": "", "created": "2026-01-01T00:00:00Z"},
			})
			if err != nil {
				t.Fatal(err)
			}
			return map[string]string{"keys.json": string(record)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, keys := foreign(t, testbed.VaultOptions{})
			p, namespace, _ := inKubernetes(t, cluster)
			manifest, err := json.Marshal(map[string]any{
				"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": "theirs", "namespace": namespace}, "stringData": data(t, keys),
			})
			if err != nil {
				t.Fatal(err)
			}
			kubectl(t, "apply", "-f", kept(t, string(manifest)))
			flags := []string{"--keys-from-secret=theirs", "--revoke-token"}
			wantFailure(t, p.run("adopt", flags...), 64, `resourceNames: [\"theirs\"]`, `verbs: [\"get\"]`)
			kubectl(t, "create", "role", "adopt", "-n", namespace, "--verb=get", "--resource=secrets", "--resource-name=theirs")
			kubectl(t, "create", "rolebinding", "adopt", "-n", namespace, "--role=adopt", "--serviceaccount="+namespace+":vault-bootstrap")
			wantEvents(t, "adoption", p.must(0, "adopt", flags...).events(), "seed", "harden")
			wantAdopted(t, p, cluster, keys)
		})
	}
}
