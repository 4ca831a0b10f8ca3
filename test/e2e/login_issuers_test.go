package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// issuer signs JSON Web Tokens, and serves its keys.
type issuer struct {
	t        *testing.T
	url      string
	own, bad *ecdsa.PrivateKey
}

type claimSet struct {
	subject, audience string
	expired, forged   bool
	early             bool // not valid yet
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t}
	var err error
	for _, key := range []**ecdsa.PrivateKey{&i.own, &i.bad} {
		if *key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	point, err := i.own.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{
			"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k", "x": raw64(point[1:33]), "y": raw64(point[33:]),
		}}})
	}))
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func raw64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// token writes a signed token (RFC 7515, ES256) to a file.
func (i *issuer) token(file string, c claimSet) {
	i.t.Helper()
	now, ends := time.Now(), time.Now().Add(time.Hour)
	if c.expired {
		now, ends = now.Add(-2*time.Hour), now.Add(-time.Hour)
	}
	if c.early {
		now, ends = now.Add(time.Hour), ends.Add(time.Hour)
	}
	header, _ := json.Marshal(map[string]string{"alg": "ES256", "kid": "k"})
	claims, _ := json.Marshal(map[string]any{"sub": c.subject, "aud": []string{c.audience}, "iat": now.Unix(), "nbf": now.Unix(), "exp": ends.Unix()})
	text := raw64(header) + "." + raw64(claims)
	digest := sha256.Sum256([]byte(text))
	key := i.own
	if c.forged {
		key = i.bad
	}
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		i.t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	testbed.NoteSecrets(i.t, text+"."+raw64(signature))
	write(i.t, file, text+"."+raw64(signature))
}

// sts is a stub of AWS's STS that knows one user.
type sts struct {
	url, arn, id, secret string
	accepted, refused    atomic.Int32
}

func newSTS(t *testing.T) *sts {
	t.Helper()
	s := &sts{arn: "arn:aws:iam::123456789012:user/vault-bootstrap", id: "AKIDOFTHESUITE", secret: "the-secret-key-of-the-suite"}
	testbed.NoteSecrets(t, s.secret)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/xml")
		if !s.signed(r, body) || !strings.Contains(string(body), "Action=GetCallerIdentity") {
			s.refused.Add(1)
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>`)
			return
		}
		s.accepted.Add(1)
		_, _ = fmt.Fprintf(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>%s</Arn><UserId>AIDAOFTHESUITE</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, s.arn)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// signed checks a Signature Version 4, as AWS documents it.
func (s *sts) signed(r *http.Request, body []byte) bool {
	fields := map[string]string{}
	for _, field := range strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	credential := strings.SplitN(fields["Credential"], "/", 2)
	if len(credential) != 2 || credential[0] != s.id {
		return false
	}
	var headers strings.Builder
	for _, name := range strings.Split(fields["SignedHeaders"], ";") {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(len(body))
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, strings.TrimSpace(value))
	}
	hash := sha256.Sum256(body)
	request := strings.Join([]string{r.Method, "/", r.URL.RawQuery, headers.String(), fields["SignedHeaders"], hex.EncodeToString(hash[:])}, "\n")
	hash = sha256.Sum256([]byte(request))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), credential[1], hex.EncodeToString(hash[:])}, "\n")
	key := []byte("AWS4" + s.secret)
	for _, part := range strings.Split(credential[1], "/") { // date, region, service, aws4_request
		key = sum(key, part)
	}
	return hmac.Equal([]byte(hex.EncodeToString(sum(key, text))), []byte(fields["Signature"]))
}

func sum(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, text)
	return mac.Sum(nil)
}
