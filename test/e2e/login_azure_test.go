package e2e

import (
	"crypto/rsa"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

const (
	azureTenant    = "11111111-2222-3333-4444-555555555555"
	azurePrincipal = "66666666-7777-8888-9999-000000000000"
	azureResource  = "https://vault.example.com"
	azureAuthority = "login.microsoftonline.com"
)

// azure is a stub of what Azure answers: to a machine its metadata service, to Vault the
// directory's discovery document and keys, under the name that Vault has built in.
type azure struct {
	t *testing.T
	// metadata is the address for the machine, proxy the one that leads Vault to the
	// directory, and roots the certificates that it is believed by.
	metadata, proxy, roots string
	own, other             *rsa.PrivateKey

	mu        sync.Mutex
	forged    bool
	principal string
	asked     map[string]int
}

func newAzure(t *testing.T) *azure {
	t.Helper()
	a := &azure{t: t, own: rsaKey(t), other: rsaKey(t), principal: azurePrincipal, asked: map[string]int{}}
	machine := httptest.NewServer(http.HandlerFunc(a.answerMachine))
	t.Cleanup(machine.Close)
	ca, err := testbed.NewCA(t.TempDir(), "azure")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := ca.Issue(testbed.CertRequest{Name: azureAuthority, Names: []string{azureAuthority}, Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certificate.CertFile, certificate.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	directory := httptest.NewUnstartedServer(http.HandlerFunc(a.answerVault))
	directory.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	directory.StartTLS()
	t.Cleanup(directory.Close)
	proxy := httptest.NewServer(a.tunnel(directory.Listener.Addr().String()))
	t.Cleanup(proxy.Close)
	a.metadata, a.proxy, a.roots = machine.URL, proxy.URL, ca.CertFile
	return a
}

// tunnel is an HTTP proxy that knows the way to the directory, and to nothing else.
func (a *azure) tunnel(directory string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.count(r.Method + " " + r.Host)
		if r.Method != http.MethodConnect || r.Host != azureAuthority+":443" {
			http.Error(w, "not here", http.StatusForbidden)
			return
		}
		server, err := net.Dial("tcp", directory)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		client, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = server.Close()
			return
		}
		go func() {
			_, _ = io.Copy(server, buffered)
			_ = server.Close()
		}()
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
}

func (a *azure) count(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[what]++
}

func (a *azure) answerVault(w http.ResponseWriter, r *http.Request) {
	a.count(r.URL.Path)
	switch r.URL.Path {
	case "/" + azureTenant + "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": "https://sts.windows.net/" + azureTenant + "/", "jwks_uri": "https://" + azureAuthority + "/common/discovery/keys"})
	case "/common/discovery/keys":
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{
			"kty": "RSA", "use": "sig", "kid": "own",
			"n": raw64(a.own.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(a.own.E)).Bytes()),
		}}})
	default:
		http.NotFound(w, r)
	}
}

func (a *azure) answerMachine(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Metadata") != "true" {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	switch r.URL.Path {
	case "/metadata/identity/oauth2/token":
		_ = json.NewEncoder(w).Encode(map[string]string{"access_token": a.token(r.URL.Query().Get("resource")), "token_type": "Bearer"})
	case "/metadata/instance":
		_ = json.NewEncoder(w).Encode(map[string]any{"compute": map[string]string{"name": "vm-1", "vmScaleSetName": "", "resourceGroupName": "group", "subscriptionId": azureTenant}})
	default:
		http.NotFound(w, r)
	}
}

func (a *azure) token(resource string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	key, now := a.own, time.Now()
	if a.forged {
		key = a.other
	}
	return signRS256(a.t, key, "own", map[string]any{
		"iss": "https://sts.windows.net/" + azureTenant + "/", "aud": resource, "sub": a.principal, "oid": a.principal, "tid": azureTenant,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
}

func (a *azure) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// TestLoginByAzure has a real Vault verify a managed identity's token by the keys of a
// stub of the directory. Vault's settings cannot move that address; a proxy and
// certificates in its environment can.
func TestLoginByAzure(t *testing.T) {
	testbed.NeedsPlugin(t, "auth", "azure")
	a := newAzure(t)
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Env: []string{"HTTPS_PROXY=" + a.proxy, "SSL_CERT_FILE=" + a.roots}})
	p, _ := inFiles(t, cluster, "--login=azure", "--login-principal="+azurePrincipal, "--login-audience="+azureResource,
		seeded(t, fmt.Sprintf("auth:\n  - type: azure\n    config:\n      tenant_id: %s\n      resource: %s\n", azureTenant, azureResource)))
	p.env = append(p.env, "AZURE_POD_IDENTITY_AUTHORITY_HOST="+a.metadata)
	wantLaterRuns(t, p)
	a.set(func() {
		for _, path := range []string{"/" + azureTenant + "/.well-known/openid-configuration", "/common/discovery/keys"} {
			if a.asked[path] == 0 {
				t.Errorf("nobody asked the stub for %s: %v", path, a.asked)
			}
		}
	})
	for name, test := range map[string]struct {
		spoil func()
		says  string
	}{
		"another key signs": {func() { a.forged = true }, "the token's signature"},
		"another principal": {func() { a.forged, a.principal = false, azureTenant }, "the role is for another principal"},
	} {
		t.Run(name, func(t *testing.T) {
			p := *p
			p.t = t
			a.set(func() { a.principal = azurePrincipal; test.spoil() })
			wantFailure(t, p.run("run", "--timeout=60s"), 70, "locked out", "by azure", test.says)
		})
	}
	a.set(func() { a.forged, a.principal = false, azurePrincipal })
	wantEvents(t, "a run with the right token again", p.must(0, "run").Events())
}
