package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// signRS256 makes a JSON Web Token (RFC 7515).
func signRS256(t *testing.T, key *rsa.PrivateKey, id string, claims map[string]any) string {
	t.Helper()
	header, _ := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": id})
	body, _ := json.Marshal(claims)
	text := raw64(header) + "." + raw64(body)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, text+"."+raw64(signature))
	return text + "." + raw64(signature)
}

// signedRS256 checks the signature of a token.
func signedRS256(key *rsa.PublicKey, token string) bool {
	text, tail, _ := cutLast(token, ".")
	signature, err := base64.RawURLEncoding.DecodeString(tail)
	digest := sha256.Sum256([]byte(text))
	return err == nil && rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const (
	googleProject  = "project-of-the-suite"
	googleZone     = "europe-west1-b"
	googleInstance = "vault-0"
	googleAccount  = "vault-bootstrap@" + googleProject + ".iam.gserviceaccount.com"
	googleToken    = "an-access-token-of-the-suite"
)

// google is a stub of what Google answers: to a machine its metadata server, to Vault the
// APIs for keys, machines and service accounts, and the exchange of Vault's own
// credentials for an access token. It knows one machine.
type google struct {
	t   *testing.T
	url string
	// own signs the machine's identity, vaults Vault's own requests for a token.
	own, vaults *rsa.PrivateKey

	mu      sync.Mutex
	status  string // of the machine; empty if there is none
	forged  bool   // whether another key signs
	account string // that the machine works for
	asked   map[string]int
	unknown []string
}

func newGoogle(t *testing.T) *google {
	t.Helper()
	testbed.NoteSecrets(t, googleToken)
	g := &google{t: t, own: rsaKey(t), vaults: rsaKey(t), status: "RUNNING", account: googleAccount, asked: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(g.answer))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// certificate is how Google publishes a key.
func (g *google) certificate() string {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "google"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &g.own.PublicKey, g.own)
	if err != nil {
		g.t.Error(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// credentials writes the file that Vault finds its own credentials in.
func (g *google) credentials() string {
	g.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(g.vaults)
	if err != nil {
		g.t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	content, _ := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "vault@" + googleProject + ".iam.gserviceaccount.com", "client_id": "1",
		"private_key_id": "vaults", "private_key": string(key), "project_id": googleProject, "token_uri": g.url + "/token",
	})
	file := filepath.Join(g.t.TempDir(), "credentials.json")
	write(g.t, file, string(content))
	return file
}

func (g *google) answer(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	const identity, certs, token = "/computeMetadata/v1/instance/service-accounts/default/identity", "/oauth2/v1/certs", "/token"
	machine := fmt.Sprintf("/projects/%s/zones/%s/instances/%s", googleProject, googleZone, googleInstance)
	service := "/v1/projects/-/serviceAccounts/" + g.account
	g.asked[r.URL.Path]++
	var answer any
	switch r.URL.Path {
	case identity:
		if r.Header.Get("Metadata-Flavor") != "Google" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		_, _ = fmt.Fprintln(w, g.identity(r.URL.Query().Get("audience")))
		return
	case certs:
		answer = map[string]string{"own": g.certificate()}
	case token:
		if !signedRS256(&g.vaults.PublicKey, r.FormValue("assertion")) {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		answer = map[string]any{"access_token": googleToken, "token_type": "Bearer", "expires_in": 3600}
	case machine, service:
		if r.Header.Get("Authorization") != "Bearer "+googleToken {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		if r.URL.Path == service {
			answer = map[string]string{"uniqueId": "117", "email": g.account, "projectId": googleProject}
			break
		}
		if g.status == "" {
			http.Error(w, `{"error":{"code":404,"message":"the machine is not there"}}`, http.StatusNotFound)
			return
		}
		answer = map[string]any{
			"id": "42", "name": googleInstance, "status": g.status, "creationTimestamp": "2026-01-02T03:04:05.000-00:00",
			"zone": "https://www.googleapis.com/compute/v1/projects/" + googleProject + "/zones/" + googleZone,
		}
	default:
		g.unknown = append(g.unknown, r.Method+" "+r.URL.Path)
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// identity is the machine's identity token, as docs.cloud.google.com describes it.
func (g *google) identity(audience string) string {
	key, now := g.own, time.Now()
	if g.forged {
		key = g.vaults
	}
	return signRS256(g.t, key, "own", map[string]any{
		"iss": "https://accounts.google.com", "aud": audience, "sub": g.account, "azp": "117", "email": g.account, "email_verified": true,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"google": map[string]any{"compute_engine": map[string]any{
			"project_id": googleProject, "project_number": 1, "zone": googleZone, "instance_id": "42", "instance_name": googleInstance,
			"instance_creation_timestamp": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Unix(),
		}},
	})
}

func (g *google) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

// TestLoginByGCP has a real Vault verify a machine's identity against a stub of Google's
// APIs: its keys, the machine, and its service account.
func TestLoginByGCP(t *testing.T) {
	testbed.NeedsPlugin(t, "auth", "gcp")
	g := newGoogle(t)
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Env: []string{"GOOGLE_APPLICATION_CREDENTIALS=" + g.credentials()}})
	p, _ := inFiles(t, cluster, "--login=gcp", "--login-principal="+googleAccount,
		seeded(t, fmt.Sprintf("auth:\n  - type: gcp\n    config:\n      custom_endpoint: {api: %[1]q, iam: %[1]q, compute: %[1]q}\n", g.url)))
	p.env = append(p.env, "GCE_METADATA_HOST="+strings.TrimPrefix(g.url, "http://"))
	wantLaterRuns(t, p)
	for what, path := range map[string]string{"the machine": "/instances/", "its service account": "/serviceAccounts/", "a key": "/certs", "a token for Vault": "/token"} {
		g.set(func() {
			asked := 0
			for each, times := range g.asked {
				if strings.Contains(each, path) {
					asked += times
				}
			}
			if asked == 0 {
				t.Errorf("nobody asked the stub for %s: %v, %v", what, g.asked, g.unknown)
			}
		})
	}
	for name, test := range map[string]struct {
		spoil func()
		says  string
	}{
		"another key signs":       {func() { g.forged = true }, "the token's signature"},
		"the machine is gone":     {func() { g.forged, g.status = false, "" }, "does not know the machine"},
		"another service account": {func() { g.forged, g.status, g.account = false, "RUNNING", "other@x" }, "the role is for another service account"},
	} {
		t.Run(name, func(t *testing.T) {
			p := *p
			p.t = t
			g.set(func() { g.account = googleAccount; test.spoil() })
			wantFailure(t, p.run("run"), 70, "locked out", "by gcp", test.says)
		})
	}
}
