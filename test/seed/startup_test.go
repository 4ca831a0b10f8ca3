package seed_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

const startupSeed = `
secrets:
  - {type: kv, path: one, options: {version: 1}}
  - {type: kv, path: two, options: {version: 2}}
  - {type: pki}
startupSecrets:
  - {type: kv, path: one/app, data: {data: {ttl: 1m, list: [b, a], flag: "true"}}}
  - {type: kv, path: two/data/app, data: {data: {ttl: 1m, list: [b, a], flag: "true"}, options: {cas: 0}}}
  - {type: kv, path: two/data/more, data: {data: {ttl: 1m, list: [b, a], flag: "true"}}}
  - {type: pki, path: pki/config/ca, data: {secretKeyRef: [{name: authority, key: pem}]}}
`

// TestStartupSecrets changes values as little as can be, in the seed and behind its
// back: each change is one write, and nothing else is.
func TestStartupSecrets(t *testing.T) {
	b := start(t)
	base := b.inline(t, startupSeed)
	b.apply(t, base)
	if again := b.writes(t, func() { b.apply(t, base) }); len(again) > 0 {
		t.Errorf("the second run wrote %v", again)
	}
	if issuer, _ := b.call(t, "GET", "pki/cert/ca", nil)["certificate"].(string); !strings.Contains(issuer, "BEGIN CERTIFICATE") {
		t.Error("the CA was not imported")
	}
	now := startupSeed
	for _, edit := range [][2]string{{"ttl: 1m", `ttl: "60"`}, {`ttl: "60"`, "ttl: 60"}, {"[b, a]", "[a, b]"}, {"[a, b]", `"a,b"`}, {`"true"`, "true"}, {", flag: true", ""}} {
		for place, write := range map[string]string{"one/app, ": "update one/app", "two/data/more, ": "update two/data/more"} {
			now = edited(t, now, place, edit)
			if got := b.writes(t, func() { b.apply(t, b.inline(t, now)) }); len(got) != 1 || !sameWrite(got[0], write) {
				t.Errorf("%s → %s at %s: wrote %v, want %s", edit[0], edit[1], place, got, write)
			}
			if got := b.writes(t, func() { b.apply(t, b.inline(t, now)) }); len(got) > 0 {
				t.Errorf("%s → %s at %s: the rerun wrote %v", edit[0], edit[1], place, got)
			}
		}
	}

	b.apply(t, base)
	for path, body := range map[string]any{
		"one/app":       m{"ttl": "1m", "list": []string{"b", "a"}, "flag": "true", "added": "by hand"},
		"two/data/more": m{"data": m{"ttl": "1m", "list": []string{"b", "a"}, "flag": "1"}},
	} {
		b.call(t, "PUT", path, body)
		if got := b.writes(t, func() { b.apply(t, base) }); len(got) != 1 || !sameWrite(got[0], "update "+path) {
			t.Errorf("after a change of %s by hand: wrote %v", path, got)
		}
	}
	if fields := b.call(t, "GET", "one/app", nil); len(fields) != 3 {
		t.Errorf("%d fields are left, want 3", len(fields))
	}
}

// edited makes an edit in the line of a seed that holds place.
func edited(t *testing.T, text, place string, edit [2]string) string {
	t.Helper()
	lines := strings.Split(text, "\n")
	i := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, place) })
	if i < 0 || !strings.Contains(lines[i], edit[0]) {
		t.Fatalf("no %q at %s", edit[0], place)
	}
	lines[i] = strings.Replace(lines[i], edit[0], edit[1], 1)
	return strings.Join(lines, "\n")
}

// authority returns the key and the certificate of a CA that is made for it.
func authority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of the suite"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s%s", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
