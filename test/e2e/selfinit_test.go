package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// openBao returns the OpenBao that the suites run against. With another server, the test does not
// apply: it initializes itself on no other.
func openBao(t *testing.T) string {
	t.Helper()
	server := testbed.FactsFor(t).Server
	if server.Product != testbed.OpenBao {
		testbed.NotApplicable(t, "it neither initializes itself nor does without recovery keys")
	}
	return server.Binary
}

// staticSeal returns the stanza of a seal whose key is in a file.
func staticSeal(t *testing.T) string {
	t.Helper()
	key, file := make([]byte, 32), filepath.Join(t.TempDir(), "seal.key")
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	write(t, file, string(key))
	return fmt.Sprintf("seal \"static\" {\n  current_key_id = \"suite\"\n  current_key    = \"file://%s\"\n}\n", file)
}

// TestSelfInit starts an OpenBao with the stanza that 'seed self-init' prints, and configures it
// without anybody ever having had a root token.
func TestSelfInit(t *testing.T) {
	binary := openBao(t)
	log := filepath.Join(t.TempDir(), "audit.log")
	t.Cleanup(func() { driver.NoteTokens(t, log) })
	k := withoutKeys(t, nil, false)
	bare := *k.program
	bare.flags = nil
	printed := bare.must(0, "seed self-init", append(k.reading(false), k.seed)...)
	audit := fmt.Sprintf("audit \"file\" \"file\" {\n  options = {\n    file_path = %q\n    log_raw   = \"true\"\n  }\n}\n", log)
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Binary: binary, Storage: "raft", Seal: staticSeal(t), ExtraConfig: audit + printed.Stdout + adaByHand})
	k.flags = append(k.flags, driver.VaultFlags(cluster)...)
	k.audit = log

	wantEvents(t, "the first run", k.must(0, "run").Events(), "seed")
	if got := status(k.program)["state"]; got != "hardened" {
		t.Errorf("it is %v", got)
	}
	k.wantNothingStored()
	k.wantQuietRerun()
	wantLimits(t, cluster.Nodes[0], k.logIn(cluster.Nodes[0]), false)
	readsWithoutKeys(t, k)

	// Somebody whom the configuration makes, too, spoils what is there; and lends a token.
	testbed.NoteSecrets(t, adasPassword)
	node := cluster.Nodes[0]
	mendsWithoutKeys(t, k, node, adasToken(t, node))
	write(t, k.seed, k.content+grown)
	wantEvents(t, "the seed that has grown", k.must(0, "run").Events(), "drift", "seed")
	lent := adasToken(t, node)
	wantEvents(t, "with a token that was lent", k.must(0, "run", tokenFile(t, lent), "--revoke-token").Events(), "weaken", "harden")
	if !dead(t, node, lent) {
		t.Error("the token that was lent is alive")
	}
	k.wantQuietRerun()
	k.wantNothingStored(lent)

	entries, _, err := driver.ReadAudit(log, 0)
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	for _, each := range entries {
		used = append(used, each.Request.ClientToken, each.Auth.ClientToken)
	}
	used = slices.DeleteFunc(used, func(token string) bool { return token == "" })
	testbed.NoteSecrets(t, used...)
	k.wantNothingStored(used...)
	// The server revokes its own root token when it has made what the stanza says; after that there
	// is none, and every request is our login's.
	requests := entries.Requests()
	last := slices.IndexFunc(requests, func(a driver.Audited) bool { return a.Request.Path == "auth/token/revoke-self" })
	if last < 0 {
		t.Fatal("the log does not show the end of the server's own token")
	}
	for _, each := range requests[last+1:] {
		if slices.Contains(each.Auth.Policies, "root") {
			t.Errorf("%s was done as root", each.Call())
		}
	}
}

// adasPassword is that of the administrator in adaByHand.
const adasPassword = "a-password-of-ada-in-the-suite"

// adaByHand is a stanza for an administrator, as whoever configures the server may add one.
const adaByHand = `
initialize "people" {
  request "mount" {
    operation = "update"
    path      = "sys/auth/userpass"
    data = {
      type = "userpass"
    }
  }
  request "policy" {
    operation = "update"
    path      = "sys/policies/acl/admin"
    data = {
      policy = "path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"] }"
    }
  }
  request "ada" {
    operation = "update"
    path      = "auth/userpass/users/ada"
    data = {
      password       = "` + adasPassword + `"
      token_policies = ["admin"]
    }
  }
}
`

// adasToken logs ada in.
func adasToken(t *testing.T, node *testbed.VaultNode) string {
	t.Helper()
	var out struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	if err := node.Call(t.Context(), http.MethodPost, "auth/userpass/login/ada", "", map[string]string{"password": adasPassword}, &out); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, out.Auth.ClientToken)
	return out.Auth.ClientToken
}

// TestNoRecoveryKeys initializes an OpenBao that has no recovery keys: a set without shares.
func TestNoRecoveryKeys(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Binary: openBao(t), Storage: "raft", Seal: staticSeal(t)})
	p, _ := inFiles(t, cluster, "--recovery-shares=0", seeded(t, "secrets:\n  - type: kv\n"))
	wantEvents(t, "the first run", p.must(0, "run").Events(), "initialize", "seed", "harden")
	stored := keysIn(t, p)
	if stored.Set == nil || stored.Set.Kind != "recovery" || len(stored.Set.Shares) != 0 || stored.Set.Threshold != 0 || stored.Root != nil {
		t.Errorf("stored is %+v", stored)
	}
	wantEvents(t, "a rerun", p.must(0, "run").Events())
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, "a run after a restart", p.must(0, "run").Events())
	if r := p.must(0, "keys list"); !strings.Contains(r.Stdout, "none    nobody") {
		t.Errorf("keys list: %s", r)
	}
	for verb, flags := range map[string][]string{
		"keys rotate":      nil,
		"break-glass run":  {because},
		"break-glass exec": {because, "--", "/bin/true"},
	} {
		bare := *p // without --recovery-shares, which only a run has
		bare.flags = slices.Delete(slices.Clone(p.flags), 1, 2)
		wantFailure(t, bare.run(verb, flags...), 64, "no recovery keys")
	}
	// A login that is refused is repaired by an administrator: there is nothing to generate root from.
	record := p.keys()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(record, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "app_role")
	changed, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(strings.TrimPrefix(p.flags[0], "--store=file:"), "vault-bootstrap-keys.json")
	write(t, file, string(changed))
	r := p.run("run")
	wantFailure(t, r, 70, "locked out", "no recovery keys")
	wantNoBreakGlass(t, r)
}

// TestRecoveryKeysWanted asks a Vault for no recovery keys, which it cannot do.
func TestRecoveryKeysWanted(t *testing.T) {
	if testbed.FactsFor(t).Product == testbed.OpenBao {
		testbed.NotApplicable(t, "it can be initialized without recovery keys")
	}
	cluster := transitSealed(t)
	p, _ := inFiles(t, cluster, "--recovery-shares=0")
	wantFailure(t, p.run("run"), 64, "cannot be initialized without recovery keys", "OpenBao can since 2.6.0")
	wantUninitialized(t, cluster)
	if keysIn(t, p).Attempt != nil {
		t.Error("an attempt is on record")
	}
	// Where unseal keys are split, no recovery keys are made in any case.
	shamir, _ := inFiles(t, testbed.VaultFor(t, testbed.VaultOptions{}), "--recovery-shares=0")
	shamir.must(0, "run")
}
