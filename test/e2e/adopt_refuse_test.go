package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

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
		"no keys":               {[]string{token}, []string{"no keys are given", "--keys-file"}},
		"two sources":           {[]string{"--keys-file=" + good, "--keys-from-secret=x"}, []string{"exclude each other"}},
		"no such file":          {[]string{"--keys-file=/does/not/exist"}, []string{"/does/not/exist"}},
		"no share":              {[]string{"--keys-file=" + kept(t, "hunter2"), token}, []string{"no key share", "operator init"}},
		"too few":               {[]string{"--keys-file=" + kept(t, strings.Join(keys.Shares[:2], "\n")), token}, []string{"2 shares are given", "asks for 3"}},
		"one of another set":    {[]string{"--keys-file=" + kept(t, strings.Join(append(keys.Shares[:4:4], others.Shares[4]), "\n")), token}, []string{"share 5 does not belong"}},
		"another Vault's":       {[]string{"--keys-file=" + kept(t, initJSON(t, mixed))}, []string{"not those of", "message authentication failed"}},
		"another's token":       {[]string{"--keys-file=" + kept(t, initJSON(t, others))}, []string{"the root token is refused", "generate-root"}},
		"a weak token":          {[]string{"--keys-file=" + good, "--token-file=" + kept(t, weak.Auth.ClientToken)}, []string{"not a root token", "default"}},
		"no token and no login": {[]string{"--keys-file=" + good}, []string{"no root token is given", "generate-root"}},
		"a Secret in no store":  {[]string{"--keys-from-secret=x", token}, []string{"needs the records in Kubernetes"}},
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
