package seed_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// issuer is an OpenID provider as far as Vault looks: discovery, keys, tokens.
type issuer struct {
	key    *ecdsa.PrivateKey
	server *httptest.Server
}

func encoded(value any) string {
	text, _ := json.Marshal(value)
	return base64.RawURLEncoding.EncodeToString(text)
}

// token returns a token signed with ES256.
func (i *issuer) token(t *testing.T, claims m) string {
	t.Helper()
	signed := encoded(m{"alg": "ES256", "kid": "one", "typ": "JWT"}) + "." + encoded(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func startIssuer(t *testing.T, b *bed) []string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	answer := func(path string, value func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(value()) })
	}
	answer("/.well-known/openid-configuration", func() any {
		return m{"issuer": i.server.URL, "jwks_uri": i.server.URL + "/keys", "authorization_endpoint": i.server.URL, "token_endpoint": i.server.URL, "id_token_signing_alg_values_supported": []string{"ES256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}}
	})
	answer("/keys", func() any {
		public, _ := key.PublicKey.Bytes()
		part := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
		return m{"keys": []m{{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "one", "x": part(public[1:33]), "y": part(public[33:])}}}
	})
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	b.issuer = i
	return []string{"https://ci.example.org", i.server.URL}
}

func useJWT(t *testing.T, b *bed) {
	claims := m{
		"iss": b.issuer.server.URL, "aud": "https://vault.example.org", "sub": "job-7", "project": "shop", "ref_protected": "true",
		"iat": time.Now().Unix(), "nbf": time.Now().Unix() - 5, "exp": time.Now().Add(time.Hour).Unix(),
	}
	_, auth := b.login(t, "auth/jwt/login", m{"role": "deploy", "jwt": b.issuer.token(t, claims)})
	holdsPolicy(t, auth, "policies", "ci-deploy")
	claims["project"] = "elsewhere"
	err := b.Call(t.Context(), "POST", "auth/jwt/login", "", m{"role": "deploy", "jwt": b.issuer.token(t, claims)}, nil)
	if err == nil {
		t.Error("a job of another project may deploy")
	}
}
