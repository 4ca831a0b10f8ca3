package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// administered is the configuration by which an OpenBao makes, at its first start, a person who may
// do everything, and revokes its own root token.
const administered = `
initialize "people" {
  request "userpass" {
    operation = "update"
    path      = "sys/auth/userpass"
    data      = { type = "userpass" }
  }
  request "policy" {
    operation = "update"
    path      = "sys/policies/acl/administrator"
    data      = { policy = "path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"patch\", \"delete\", \"list\", \"sudo\"] }" }
  }
  request "ada" {
    operation = "update"
    path      = "auth/userpass/users/ada"
    data      = { password = "correct-horse-battery", token_policies = ["administrator"] }
  }
}
`

// selfInitialized starts an OpenBao that initializes itself, and returns a program beside it and a
// file with the token of its administrator.
func selfInitialized(t *testing.T) (p *program, cluster *testbed.VaultCluster, token, file string) {
	t.Helper()
	cluster = testbed.VaultFor(t, testbed.VaultOptions{Binary: openBao(t), Storage: "raft", Seal: staticSeal(t), ExtraConfig: administered, Front: true})
	testbed.NoteSecrets(t, "correct-horse-battery")
	var said struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	within(t, runLimit, "the administrator's login", func() bool {
		return cluster.Nodes[0].Call(t.Context(), http.MethodPost, "auth/userpass/login/ada", "", map[string]string{"password": "correct-horse-battery"}, &said) == nil
	})
	testbed.NoteSecrets(t, said.Auth.ClientToken)
	p, _ = inFiles(t, cluster, seeded(t, "secrets:\n  - type: kv\n"))
	return p, cluster, said.Auth.ClientToken, kept(t, said.Auth.ClientToken+"\n")
}

// TestNewKeys adopts an OpenBao that initialized itself: it makes recovery keys, with which our
// login is set up, and which later ceremonies work with.
func TestNewKeys(t *testing.T) {
	p, cluster, token, file := selfInitialized(t)
	wantFailure(t, p.run("adopt", "--new-keys"), 64, "--token-file")
	p.must(0, "adopt", "--new-keys", "--token-file="+file, "--recovery-shares=3", "--recovery-threshold=2")
	if set := keysIn(t, p).Set; set == nil || set.Kind != "recovery" || len(set.Shares) != 3 || set.Threshold != 2 {
		t.Fatalf("stored is %+v", set)
	}
	if dead(t, cluster.Nodes[0], token) {
		t.Error("the administrator's token was revoked")
	}
	watch := &observer{t: t, node: cluster.Nodes[0], token: token}
	watch.wantNoRoot("adopt")
	wantEvents(t, "a rerun", p.must(0, "run").Events())
	p.must(0, "keys test")
	p.must(0, "break-glass exec", because, "--", "/bin/true")
	p.must(0, "keys rotate")
	p.must(0, "break-glass run", because)
	watch.wantNoRoot("the last break-glass")
	p.must(0, "adopt", "--new-keys", "--token-file="+file) // which finds them stored
}

// TestNewKeysKilled kills the making of keys at every point. No key is lost, whatever Vault had in
// force then, and the next adoption finishes.
func TestNewKeysKilled(t *testing.T) {
	openBao(t)
	for _, point := range []string{"adopt.recorded", "rotate.intent", "rotate.answered", "rotate.stored", "rotate.share", "rotate.verified", "rotate.done", "breakglass.stored"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			p, cluster, token, file := selfInitialized(t)
			run := p.stopped(point, "adopt", "--new-keys", "--token-file="+file)
			run.Kill()
			p.must(0, "adopt", "--new-keys", "--token-file="+file)
			(&observer{t: t, node: cluster.Nodes[0], token: token}).wantNoRoot(point)
			p.must(0, "run")
			p.must(0, "keys test") // proves what is stored
		})
	}
}

// TestNewKeysForOperators gives the keys to operators, who give them back decrypted.
func TestNewKeysForOperators(t *testing.T) {
	p, _, _, file := selfInitialized(t)
	pairs, flag := operators(t, 3)
	flag = "--recovery-" + strings.TrimPrefix(flag, "--")
	begin := []string{"--new-keys", "--token-file=" + file, flag, "--recovery-shares=3", "--recovery-threshold=2"}
	wantFailure(t, p.run("adopt", begin...), 64, "operator 0", "--new-shares-file")
	p.must(0, "adopt", append(begin, "--new-shares-file="+decrypted(t, p, pairs[:2]))...)
	if after := rotatedIn(t, p); len(after.Set.Shares) != 0 || after.Rotation != nil {
		t.Errorf("the record holds %+v", after)
	}
	p.must(0, "run")
}

// TestNewKeysRefused asks servers that have keys, and with tokens that may not.
func TestNewKeysRefused(t *testing.T) {
	cluster, keys := foreign(t, testbed.VaultOptions{})
	p, _ := inFiles(t, cluster)
	file := kept(t, keys.RootToken+"\n")
	wantFailure(t, p.run("adopt", "--new-keys", "--token-file="+file), 64, "has unseal keys", "--keys-file")
	wantFailure(t, p.run("adopt", "--new-keys", "--token-file="+file, "--keys-file="+file), 64, "excludes")
	wantFailure(t, p.run("adopt", "--new-keys", "--token-file="+file, "--revoke-token"), 64, "excludes --revoke-token")
	if hasKeys(t, p) {
		t.Error("keys were stored")
	}
	if cluster.Server.Product != testbed.OpenBao {
		return
	}
	q, other, token, _ := selfInitialized(t)
	var made struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	if err := other.Nodes[0].Call(t.Context(), http.MethodPost, "auth/token/create", token, map[string]any{"policies": []string{"default"}}, &made); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, made.Auth.ClientToken)
	wantFailure(t, q.run("adopt", "--new-keys", "--token-file="+kept(t, made.Auth.ClientToken)), 70, "rotation refused", "sys/rotate/recovery/init")
	if set := keysIn(t, q).Set; set != nil && len(set.Shares) > 0 {
		t.Errorf("stored is %+v", set)
	}
}
