package e2e

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// host is the Vault of a transit recipient, with auth methods whose roles may use the key, and an audit
// log.
type host struct {
	*testing.T
	*remote
	log string
	// env is the environment in which we can log in.
	env []string
	// held are the tokens that are alive before anybody logs in.
	held int
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{T: t, remote: startRemote(t), log: filepath.Join(t.TempDir(), "audit.log")}
	h.write("sys/audit/file", map[string]any{"type": "file", "options": map[string]string{"file_path": h.log}}, nil)
	h.write("sys/policies/acl/ours", map[string]any{"policy": `
		path "transit/encrypt/vb" { capabilities = ["update"] }
		path "transit/decrypt/vb" { capabilities = ["update"] }
		path "auth/token/revoke-self" { capabilities = ["update"] }`}, nil)
	h.held = len(h.tokens())
	return h
}

func (h *host) write(path string, in, out any) {
	h.Helper()
	if err := h.Nodes[0].Call(h.Context(), http.MethodPut, path, h.keys.RootToken, in, out); err != nil {
		h.Fatalf("%s: %v", path, err)
	}
}

// tokens returns the accessors of all tokens that are alive.
func (h *host) tokens() []string {
	h.Helper()
	var found struct{ Data struct{ Keys []string } }
	if err := h.Nodes[0].Call(h.Context(), "LIST", "auth/token/accessors", h.keys.RootToken, nil, &found); err != nil {
		h.Fatal(err)
	}
	return found.Data.Keys
}

// left checks that no token of a login is left.
func (h *host) left(after string) {
	h.Helper()
	if alive := h.tokens(); len(alive) != h.held {
		h.Errorf("after %s %d tokens are alive, and %d were before", after, len(alive), h.held)
	}
}

// to returns the flags of a recipient that logs in with options.
func (h *host) to(options string) []string {
	return []string{"--keys-to=transit:" + h.Nodes[0].Addr + "/transit/vb?" + options, "--keys-ca=" + h.CAFile}
}

// calls returns what was asked from a line of the audit log on, without the suite's own look at tokens,
// and the number of lines.
func (h *host) calls(from int) ([]string, int) {
	h.Helper()
	audit, lines := driver.AuditFor(h.T, h.log, from)
	calls := slices.DeleteFunc(audit.Requests().Calls(), func(call string) bool { return strings.HasSuffix(call, "auth/token/accessors") })
	return calls, lines
}

// roleFields are those of every role: tokens that live shortly.
func roleFields(more map[string]any) map[string]any {
	more["token_policies"], more["token_ttl"], more["token_no_default_policy"] = "ours", "60s", true
	return more
}

// logins returns for each login its options, and what makes it one of the host's.
func logins() map[string]func(h *host) string {
	return map[string]func(h *host) string{
		"kubernetes": func(h *host) string {
			plane, namespace := kubernetes(h.T), namespaceFor(h.T)
			h.write("sys/auth/clusters/one", map[string]any{"type": "kubernetes"}, nil)
			ca := read(h.T, plane.CAFile)
			h.write("auth/clusters/one/config", map[string]any{"kubernetes_host": plane.URL, "kubernetes_ca_cert": ca, "token_reviewer_jwt": tokenOf(h.T, namespace, "vault")}, nil)
			h.write("auth/clusters/one/role/vb", roleFields(map[string]any{
				"bound_service_account_names": "vault-bootstrap", "bound_service_account_namespaces": namespace, "audience": "vault",
			}), nil)
			return "login=kubernetes&role=vb&path=clusters/one&token-file=" + kept(h.T, tokenOf(h.T, namespace, "vault-bootstrap", "vault"))
		},
		"approle": func(h *host) string { return h.approle("60s") },
		"jwt": func(h *host) string {
			issuer, file := newIssuer(h.T), filepath.Join(h.TempDir(), "jwt")
			issuer.token(file, claimSet{subject: "ci:main", audience: "vault"})
			h.write("sys/auth/jwt", map[string]any{"type": "jwt"}, nil)
			h.write("auth/jwt/config", map[string]any{"jwks_url": issuer.url}, nil)
			h.write("auth/jwt/role/vb", roleFields(map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_subject": "ci:main", "bound_audiences": "vault"}), nil)
			return "login=jwt&role=vb&token-file=" + file
		},
		"aws": func(h *host) string {
			testbed.NeedsPlugin(h, "auth", "aws")
			sts := newSTS(h.T)
			h.env = []string{"AWS_ACCESS_KEY_ID=" + sts.id, "AWS_SECRET_ACCESS_KEY=" + sts.secret, "AWS_EC2_METADATA_DISABLED=true"}
			h.write("sys/auth/aws", map[string]any{"type": "aws"}, nil)
			h.write("auth/aws/config/client", map[string]any{"sts_endpoint": sts.url, "sts_region": "eu-central-1"}, nil)
			h.write("auth/aws/role/vb", roleFields(map[string]any{"auth_type": "iam", "bound_iam_principal_arn": sts.arn, "resolve_aws_unique_ids": false}), nil)
			return "login=aws&role=vb&region=eu-central-1"
		},
		"userpass": func(h *host) string {
			h.write("sys/auth/people", map[string]any{"type": "userpass"}, nil)
			testbed.NoteSecrets(h, "correct horse")
			h.write("auth/people/users/vb", roleFields(map[string]any{"password": "correct horse"}), nil)
			return "login=userpass&user=VB&path=people&password-file=" + kept(h.T, "correct horse\n")
		},
	}
}

// approle makes an AppRole whose tokens live so long, and returns the options of its login.
func (h *host) approle(life string) string {
	h.Helper()
	h.write("sys/auth/approle", map[string]any{"type": "approle"}, nil)
	fields := roleFields(map[string]any{})
	fields["token_ttl"] = life
	h.write("auth/approle/role/vb", fields, nil)
	var role struct {
		Data struct {
			ID string `json:"role_id"`
		}
	}
	if err := h.Nodes[0].Call(h.Context(), http.MethodGet, "auth/approle/role/vb/role-id", h.keys.RootToken, nil, &role); err != nil {
		h.Fatal(err)
	}
	var made struct {
		Data struct {
			ID string `json:"secret_id"`
		}
	}
	h.write("auth/approle/role/vb/secret-id", map[string]any{}, &made)
	testbed.NoteSecrets(h, made.Data.ID)
	return "login=approle&role-id=" + role.Data.ID + "&secret-id-file=" + kept(h.T, made.Data.ID+"\n")
}

// TestEncryptedByLogin takes a Vault to hardened with keys that another one encrypts, to which we log in
// ourselves. A login that is refused is named before Vault is initialized; one that works is used for one
// call, and leaves no token behind.
func TestEncryptedByLogin(t *testing.T) {
	for name, login := range logins() {
		t.Run(name, func(t *testing.T) {
			h, cluster, safe := newHost(t), testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t)
			to := h.to(login(h))
			wrong := slices.Clone(to)
			for _, option := range []string{"role=vb", "role-id=", "user=VB"} { // one of them
				wrong[0] = strings.Replace(wrong[0], option, option+"x", 1)
			}
			refused, _ := inFiles(t, cluster, append(wrong, "--keys-to="+safe.recipient)...)
			refused.env = h.env
			wantFailure(t, refused.run("run"), 64, "logging in by "+name, "credential not accepted", "Check the role of that server")
			wantUninitialized(t, cluster)
			h.left("a login that was refused")

			p, dir := inFiles(t, cluster, append(to, "--keys-to="+safe.recipient)...)
			p.env, p.keys = h.env, safe.opens(t, p.keys)
			first := p.must(0, "run")
			if strings.Contains(first.Stderr, "could not be revoked") {
				t.Errorf("it warns of a token: %s", first)
			}
			wantNoSecrets(t, p, dir)
			h.left("a first run")
			_, lines := h.calls(0)
			wantEvents(t, "rerun", p.must(0, "run").Events())
			calls, _ := h.calls(lines)
			if len(calls) != 3 || !strings.HasPrefix(calls[0], "update auth/") || calls[1] != "update transit/decrypt/vb" || calls[2] != "update auth/token/revoke-self" {
				t.Errorf("a rerun has asked %q", calls)
			}
			h.left("a rerun")
			if list := p.must(0, "keys list").Stdout; !strings.Contains(list, "/transit/vb") || strings.Contains(list, "login=") {
				t.Errorf("the record has the options: %s", list)
			}
		})
	}
}

// TestLoginOfARecipientExpires has a watch open a record anew, long after its first token has expired.
func TestLoginOfARecipientExpires(t *testing.T) {
	h, cluster, safe := newHost(t), testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t)
	p, _ := inFiles(t, cluster, append(h.to(h.approle("1s")), "--keys-to="+safe.recipient)...)
	p.keys = safe.opens(t, p.keys)
	watch := p.start("watch", "--interval=1s", "--health-interval=200ms")
	watch.Says("hardened", 1)
	h.eventually("no token is left", func() bool { return len(h.tokens()) == h.held })
	_, lines := h.calls(0)
	p.must(0, "keys rotate")
	if err := cluster.Nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.eventually("the watch unseals with the new keys", func() bool { return health(t, cluster.Nodes[0]) == http.StatusOK })
	h.eventually("no token is left", func() bool { return len(h.tokens()) == h.held })
	calls, _ := h.calls(lines)
	// keys rotate opens the record, wraps the new data key, and unwraps it; the watch opens it.
	if got := len(slices.DeleteFunc(calls, func(call string) bool { return !strings.Contains(call, "approle/login") })); got != 4 {
		t.Errorf("there are %d logins", got)
	}
	watch.Send(syscall.SIGTERM)
	watch.Wait()
	h.left("the watch")
}

func (h *host) eventually(what string, holds func() bool) {
	h.Helper()
	err := testbed.Poll(h.Context(), 100*time.Millisecond, what, func(context.Context) error {
		if !holds() {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
}

// TestRecipientLoginWithoutRevoking warns of a token that its policies do not let us revoke, and works.
func TestRecipientLoginWithoutRevoking(t *testing.T) {
	h, cluster, safe := newHost(t), testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t)
	h.write("sys/policies/acl/ours", map[string]any{"policy": `path "transit/+/vb" { capabilities = ["update"] }`}, nil)
	p, _ := inFiles(t, cluster, append(h.to(h.approle("60s")), "--keys-to="+safe.recipient)...)
	p.keys = safe.opens(t, p.keys)
	if first := p.must(0, "run"); !strings.Contains(first.Stderr, "could not be revoked") || !strings.Contains(first.Stderr, "auth/token/revoke-self") {
		t.Errorf("it does not warn: %s", first)
	}
	// A batch token has nothing to be revoked.
	fields := map[string]any{"token_policies": "ours", "token_type": "batch", "token_ttl": "60s"}
	h.write("auth/approle/role/vb", fields, nil)
	if again := p.must(0, "run"); strings.Contains(again.Stderr, "could not be revoked") {
		t.Errorf("it warns of a batch token: %s", again)
	}
	// The Vault itself is refused whatever the login is, and none is made.
	itself := p.must(64, "keys reseal", "--to=transit:"+cluster.Nodes[0].Addr+"/transit/vb?login=gcp&role=x")
	if !strings.Contains(itself.Stderr, "is the Vault itself that the keys unseal") {
		t.Errorf("to the Vault itself: %s", itself)
	}
}
