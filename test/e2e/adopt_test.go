package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
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
		"JSON of operator init and open": {false, func(t *testing.T, keys testbed.VaultKeys) []string {
			return []string{"--keys-file=" + kept(t, initJSON(t, keys))}
		}},
		"JSON of operator init and sealed": {true, func(t *testing.T, keys testbed.VaultKeys) []string {
			return []string{"--keys-file=" + kept(t, initJSON(t, keys))}
		}},
		"a share per line and sealed": {true, func(t *testing.T, keys testbed.VaultKeys) []string {
			return []string{"--keys-file=" + kept(t, strings.Join(keys.Shares, "\n")+"\n"), "--token-file=" + kept(t, keys.RootToken+"\n")}
		}},
		"a share per file and open": {false, func(t *testing.T, keys testbed.VaultKeys) []string {
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
			wantEvents(t, "adoption", adopted.Events(), "seed", "harden")
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
	wantEvents(t, "run after a restart", p.must(0, "run").Events(), "seal", "unseal")
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

// TestAdoptIsCutOff kills an adoption between its proof and the store, and after it.
func TestAdoptIsCutOff(t *testing.T) {
	for _, point := range []string{"adopt.proven", "adopt.stored"} {
		t.Run(point, func(t *testing.T) {
			cluster, keys := foreign(t, testbed.VaultOptions{})
			p, _ := inFiles(t, cluster)
			flags := []string{"--keys-file=" + kept(t, initJSON(t, keys)), "--revoke-token"}
			run := p.stopped(point, "adopt", flags...)
			run.Kill()
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
	if len(adopted.Log("unsealed")) != 1 {
		t.Errorf("not proven on the sealed standby\n%s", adopted)
	}
	wantAdopted(t, p, cluster, keys)
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
			wantEvents(t, "adoption", p.must(0, "adopt", flags...).Events(), "seed", "harden")
			wantAdopted(t, p, cluster, keys)
		})
	}
}
