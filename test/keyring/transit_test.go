package keyring_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/keyringtest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/transit"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// remote is a Vault or an OpenBao with a transit secrets engine.
type remote struct {
	*testing.T
	cluster *testbed.VaultCluster
	node    *testbed.VaultNode
	keys    testbed.VaultKeys
}

type fields = map[string]any

func startRemote(t *testing.T) *remote {
	t.Helper()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
	keys, err := cluster.Initialize(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, keys.RootToken)
	r := &remote{t, cluster, cluster.Nodes[0], keys}
	r.unseal()
	r.put("sys/mounts/team/transit", fields{"type": "transit"}, nil)
	return r
}

func (r *remote) unseal() {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	if err := r.cluster.Unseal(ctx, r.keys); err != nil {
		r.Fatal(err)
	}
}

func (r *remote) put(path string, in, out any) {
	r.Helper()
	if err := r.node.Call(r.Context(), http.MethodPut, path, r.keys.RootToken, in, out); err != nil {
		r.Fatal(err)
	}
}

// key makes a transit key.
func (r *remote) key(name string, as fields) {
	r.Helper()
	r.put("team/transit/keys/"+name, as, nil)
}

// token makes a token that may do this to the paths of a key.
func (r *remote) token(name string, paths ...string) string {
	r.Helper()
	policy := ""
	for _, path := range paths {
		policy += fmt.Sprintf("path %q { capabilities = [\"update\"] }\n", "team/transit/"+path)
	}
	r.put("sys/policies/acl/"+name, fields{"policy": policy}, nil)
	var made struct {
		Auth struct {
			Token string `json:"client_token"`
		}
	}
	r.put("auth/token/create", fields{"policies": []string{name}, "no_default_policy": true}, &made)
	testbed.NoteSecrets(r, made.Auth.Token)
	return made.Auth.Token
}

// open returns a recipient of the server, with a token.
func (r *remote) open(key, token string) *transit.Recipient {
	r.Helper()
	return r.at(r.node.Addr, r.cluster.CA.Pool(), "team/transit/"+key, token)
}

func (r *remote) at(address string, authorities *x509.CertPool, path, token string) *transit.Recipient {
	r.Helper()
	form, err := keyring.Parse("transit:" + address + "/" + path)
	if err != nil {
		r.Fatal(err)
	}
	made, err := transit.New(form, transit.Access{Authorities: authorities, Token: func(context.Context) (secret.Value, error) {
		return secret.New(token), nil
	}})
	if err != nil {
		r.Fatal(err)
	}
	return made
}

// TestTransit uses keys of all types that have associated data, by a token that may do nothing
// but encrypt and decrypt.
func TestTransit(t *testing.T) {
	t.Parallel()
	r := startRemote(t)
	for name, as := range map[string]fields{
		"aes": nil, "aes128": {"type": "aes128-gcm96"}, "chacha": {"type": "chacha20-poly1305"},
		"derived": {"derived": true}, "convergent": {"derived": true, "convergent_encryption": true},
	} {
		r.key(name, as)
		token := r.token(name, "encrypt/"+name, "decrypt/"+name)
		if name != "convergent" { // whose wraps are alike, which is what it is for
			keyringtest.Recipient(t, r.open(name, token), 5)
		}
		wrapped, _ := keyringtest.Wrap(t, r.open(name, token))
		keyringtest.Opens(t, r.open(name, token), wrapped)
	}
	aes := r.open("aes", r.keys.RootToken)
	ofAnother, _ := keyringtest.Wrap(t, r.open("chacha", r.keys.RootToken))
	keyringtest.UnwrapFails(t, aes, "the wrap of another key", ofAnother, keyring.CannotDecrypt)
}

// TestTransitVersions opens what an earlier version of the key has wrapped, until it is excluded.
func TestTransitVersions(t *testing.T) {
	t.Parallel()
	r := startRemote(t)
	r.key("k", nil)
	opened := r.open("k", r.token("k", "encrypt/k", "decrypt/k"))
	first, version := keyringtest.Wrap(t, opened)
	if version != "1" {
		t.Errorf("the version is %q", version)
	}
	r.put("team/transit/keys/k/rotate", nil, nil)
	second, version := keyringtest.Wrap(t, opened)
	if version != "2" {
		t.Errorf("after a rotation the version is %q", version)
	}
	keyringtest.Opens(t, opened, first)
	keyringtest.Opens(t, opened, second)
	r.put("team/transit/keys/k/config", fields{"min_decryption_version": 2}, nil)
	keyringtest.UnwrapFails(t, opened, "an excluded version", first, keyring.KeyDisabled)
	keyringtest.Opens(t, opened, second)
	keyringtest.Wrap(t, opened)
}

// TestTransitKeys names keys that are not there, and makes none.
func TestTransitKeys(t *testing.T) {
	t.Parallel()
	r := startRemote(t)
	root := r.keys.RootToken
	r.key("k", fields{"exportable": false})
	wrapped, _ := keyringtest.Wrap(t, r.open("k", root))

	for what, missing := range map[string]*transit.Recipient{
		"no such key":   r.open("another", root),
		"no such mount": r.at(r.node.Addr, r.cluster.CA.Pool(), "nowhere/k", root),
	} {
		keyringtest.WrapFails(t, missing, what, keyring.KeyUnknown, root)
		keyringtest.UnwrapFails(t, missing, what, wrapped, keyring.KeyUnknown, root)
	}
	r.key("rsa", fields{"type": "rsa-2048"})
	keyringtest.WrapFails(t, r.open("rsa", root), "a key without associated data", keyring.KeyUnsuitable)
	r.key("sign", fields{"type": "ed25519"})
	keyringtest.WrapFails(t, r.open("sign", root), "a key that signs", keyring.KeyUnsuitable)

	if err := r.node.Call(t.Context(), http.MethodDelete, "team/transit/keys/k/soft-delete", root, nil, nil); err == nil {
		keyringtest.UnwrapFails(t, r.open("k", root), "deleted softly", wrapped, keyring.KeyDeleted)
		keyringtest.WrapFails(t, r.open("k", root), "deleted softly", keyring.KeyDeleted)
		r.put("team/transit/keys/k/soft-delete-restore", nil, nil)
		keyringtest.Opens(t, r.open("k", root), wrapped)
	} else if answer, ok := errors.AsType[*testbed.VaultError](err); !ok || answer.Status != http.StatusNotFound && answer.Status != http.StatusMethodNotAllowed {
		t.Error(err)
	}
	r.put("team/transit/keys/k/config", fields{"deletion_allowed": true}, nil)
	if err := r.node.Call(t.Context(), http.MethodDelete, "team/transit/keys/k", root, nil, nil); err != nil {
		t.Fatal(err)
	}
	keyringtest.UnwrapFails(t, r.open("k", root), "deleted", wrapped, keyring.KeyUnknown)
	keyringtest.WrapFails(t, r.open("k", root), "deleted", keyring.KeyUnknown)

	var keys struct{ Data struct{ Keys []string } }
	if err := r.node.Call(t.Context(), "LIST", "team/transit/keys", root, nil, &keys); err != nil {
		t.Fatal(err)
	}
	if left := strings.Join(keys.Data.Keys, " "); left != "rsa sign" {
		t.Errorf("there are the keys %q: some were made, or are gone", left)
	}
	r.key("k", nil)
	keyringtest.UnwrapFails(t, r.open("k", root), "made again", wrapped, keyring.CannotDecrypt)
}

// TestTransitGrants has tokens that may do only half, and tokens that are not valid any more.
func TestTransitGrants(t *testing.T) {
	t.Parallel()
	r := startRemote(t)
	r.key("k", nil)
	wrapped, _ := keyringtest.Wrap(t, r.open("k", r.keys.RootToken))

	encrypts := r.token("encrypts", "encrypt/k")
	got, _ := keyringtest.Wrap(t, r.open("k", encrypts))
	keyringtest.UnwrapFails(t, r.open("k", encrypts), "a grant to encrypt", got, keyring.Refused, encrypts)

	decrypts := r.token("decrypts", "decrypt/k")
	keyringtest.Opens(t, r.open("k", decrypts), wrapped)
	keyringtest.WrapFails(t, r.open("k", decrypts), "a grant to decrypt", keyring.Refused, decrypts)

	// OpenBao 2.6.2 answers the same to a token without a permission and to none of its own.
	expired := keyring.Expired
	if r.cluster.Server.Product == testbed.OpenBao {
		expired = keyring.Refused
	}
	r.put("auth/token/revoke", fields{"token": decrypts}, nil)
	keyringtest.UnwrapFails(t, r.open("k", decrypts), "a revoked token", wrapped, expired, decrypts)
	keyringtest.WrapFails(t, r.open("k", decrypts), "a revoked token", expired, decrypts)
	keyringtest.UnwrapFails(t, r.open("k", "s.hunter2"), "no token of this server", wrapped, expired, "hunter2")
}

// TestTransitAway has the server sealed, stopped and silent, and with a certificate of another authority.
func TestTransitAway(t *testing.T) {
	t.Parallel()
	r := startRemote(t)
	root := r.keys.RootToken
	r.key("k", nil)
	opened := r.open("k", root)
	wrapped, _ := keyringtest.Wrap(t, opened)

	stranger, err := testbed.NewCA(t.TempDir(), "a stranger")
	if err != nil {
		t.Fatal(err)
	}
	untrusted := r.at(r.node.Addr, stranger.Pool(), "team/transit/k", root)
	keyringtest.WrapFails(t, untrusted, "another authority", keyring.Unreachable, root)
	keyringtest.UnwrapFails(t, untrusted, "another authority", wrapped, keyring.Unreachable, root)

	proxy, err := testbed.StartProxy(strings.TrimPrefix(r.node.Addr, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	behind := r.at("https://"+proxy.Addr, r.cluster.CA.Pool(), "team/transit/k", root)
	keyringtest.Opens(t, behind, wrapped)
	proxy.Hold()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	got, err := behind.Unwrap(ctx, wrapped, keyringtest.About)
	keyringtest.Fails(t, "a silent server", got, err, keyring.Unreachable, root)
	proxy.Restore()
	proxy.Cut()
	keyringtest.UnwrapFails(t, behind, "a cut connection", wrapped, keyring.Unreachable, root)

	r.put("sys/seal", nil, nil)
	keyringtest.UnwrapFails(t, opened, "a sealed server", wrapped, keyring.Unreachable, root)
	keyringtest.WrapFails(t, opened, "a sealed server", keyring.Unreachable, root)
	_, err = opened.ClusterID(t.Context())
	keyringtest.Fails(t, "the cluster of a sealed server", secret.Value{}, err, keyring.Unreachable)
	r.unseal()
	keyringtest.Opens(t, opened, wrapped)

	if err := r.cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	keyringtest.UnwrapFails(t, opened, "a stopped server", wrapped, keyring.Unreachable, root)
	_, err = opened.ClusterID(t.Context())
	keyringtest.Fails(t, "the cluster of a stopped server", secret.Value{}, err, keyring.Unreachable)
}

// TestTransitServer asks for the cluster's ID without a credential, and takes neither an address nor
// a token from the environment, which is about another server.
func TestTransitServer(t *testing.T) {
	for name, value := range map[string]string{"VAULT_TOKEN": "hunter2", "VAULT_ADDR": "http://127.0.0.1:1", "VAULT_NAMESPACE": "elsewhere", "VAULT_SKIP_VERIFY": "true"} {
		t.Setenv(name, value)
	}
	r := startRemote(t)
	r.key("k", nil)
	var health struct {
		ClusterID string `json:"cluster_id"`
	}
	if err := r.node.Call(t.Context(), http.MethodGet, "sys/health", "", nil, &health); err != nil {
		t.Fatal(err)
	}
	var server keyring.Server = r.open("k", r.keys.RootToken)
	if id, err := server.ClusterID(t.Context()); err != nil || id != health.ClusterID || id == "" {
		t.Errorf("the cluster is %q, not %q: %v", id, health.ClusterID, err)
	}
	wrapped, _ := keyringtest.Wrap(t, server)
	keyringtest.Opens(t, server, wrapped)
	stranger, err := testbed.NewCA(t.TempDir(), "a stranger")
	if err != nil {
		t.Fatal(err)
	}
	keyringtest.UnwrapFails(t, r.at(r.node.Addr, stranger.Pool(), "team/transit/k", r.keys.RootToken), "another authority", wrapped, keyring.Unreachable)

	form, _ := keyring.Parse(server.Name())
	none, err := transit.New(form, transit.Access{Authorities: r.cluster.CA.Pool(), Token: func(context.Context) (secret.Value, error) {
		return secret.Value{}, errors.New("there is no token file")
	}})
	if err != nil {
		t.Fatal(err)
	}
	keyringtest.UnwrapFails(t, none, "no token", wrapped, keyring.NoCredential)
}
