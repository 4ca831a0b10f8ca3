package seed_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/test/fitting"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

const externalConfig = "testdata/externalconfig"

// startWith starts a Vault whose plugin directory holds one program, and returns the
// program's digest.
func startWith(t *testing.T) (*bed, string) {
	t.Helper()
	t.Parallel()
	plugins := t.TempDir()
	program := []byte("#!/bin/sh\nexit 1\n")
	if err := os.WriteFile(filepath.Join(plugins, "example-plugin"), program, 0o700); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	b := startVault(t, testbed.VaultOptions{ExtraConfig: fmt.Sprintf("plugin_directory = %q\n", plugins)})
	return b, hex.EncodeToString(sum[:])
}

// kubernetes answers references as the objects of a cluster would.
func kubernetes(objects map[string]string) func(context.Context, string) (map[string][]byte, error) {
	return func(_ context.Context, name string) (map[string][]byte, error) {
		value, ok := objects[name]
		if !ok {
			return nil, fmt.Errorf("there is no %q", name)
		}
		return map[string][]byte{"password": []byte(value), "pin": []byte(value), "pem": []byte(value)}, nil
	}
}

// TestExternalConfig applies a file with every key that bank-vaults' externalConfig
// has, and one with every key that it lacks, and compares what Vault holds with
// expectations that were written by hand.
func TestExternalConfig(t *testing.T) {
	b, digest := startWith(t)
	s := b.read(t, externalConfig, "PLUGIN_SHA256", digest)
	objects := b.resolve(t, s)
	b.apply(t, objects)
	b.expect(t, "testdata/externalconfig.json", "PLUGIN_SHA256", digest)
	b.expectLinks(t)

	wantEmpty(t, b.plan(t, objects))
	if again := b.writes(t, func() { b.apply(t, objects) }); len(again) > 0 {
		t.Errorf("the second run wrote %v", again)
	}
	generated := b.call(t, "GET", "secret/data/app/database", nil)
	if got := toJSON(t, dig(generated, "data")); !regexp.MustCompile(`"password":"[0-9a-f]{40}"`).MatchString(got) || !regexp.MustCompile(`"by_policy":"[a-z0-9]{24}"`).MatchString(got) {
		t.Errorf("generated %s", got)
	}
	password, _ := dig(generated, "data > password").(string)
	if _, err := (api{b.VaultNode, ""}).do(t.Context(), "POST", "auth/userpass/login/referring", m{"password": password}); err != nil {
		t.Errorf("the value in KV is not the password: %v", err)
	}
	if _, err := (api{b.VaultNode, ""}).do(t.Context(), "POST", "auth/userpass/login/from-configmap", m{"password": "3141592"}); err != nil {
		t.Errorf("the value in the ConfigMap is not the password: %v", err)
	}
}

// expectLinks checks what IDs that Vault makes up lead to.
func (b *bed) expectLinks(t *testing.T) {
	t.Helper()
	auth := b.call(t, "GET", "sys/auth", nil)
	id := func(kind, name string) any { return b.call(t, "GET", "identity/"+kind+"/name/"+name, nil)["id"] }
	rules, _ := b.call(t, "GET", "sys/policies/acl/by_accessor", nil)["policy"].(string)
	if want := fmt.Sprintf("aliases.%v.metadata", dig(auth, "cluster/ > accessor")); !strings.Contains(rules, want) {
		t.Errorf("the policy does not name the accessor: %s", rules)
	}
	members, _ := b.call(t, "GET", "identity/group/name/platform", nil)["member_entity_ids"].([]any)
	if len(members) != 2 || !slices.Contains(members, id("entity", "alice")) || !slices.Contains(members, id("entity", "robot")) {
		t.Errorf("members of platform: %v", members)
	}
	groups, _ := b.call(t, "GET", "identity/group/name/company", nil)["member_group_ids"].([]any)
	if len(groups) != 2 || !slices.Contains(groups, id("group", "everybody")) {
		t.Errorf("groups of company: %v", groups)
	}
	for name, want := range map[string][2]string{"alice": {"CN=Alice/OU=people", "auth/ldap/"}, "robot": {"robot@example", "auth/ci/"}} {
		aliases, _ := b.call(t, "GET", "identity/entity/name/"+name, nil)["aliases"].([]any)
		if len(aliases) != 1 || dig(aliases[0], "name") != want[0] || dig(aliases[0], "mount_path") != want[1] {
			t.Errorf("aliases of %s: %v", name, aliases)
		}
	}
	root := b.call(t, "GET", "secret/data/pki/root", nil)
	if key, _ := dig(root, "data > private_key").(string); !strings.Contains(key, "PRIVATE KEY") {
		t.Error("the root's key was not saved")
	}
	issuers, _ := b.call(t, "LIST", "pki-int/issuers", nil)["keys"].([]any)
	if len(issuers) == 0 {
		t.Error("the intermediate has no issuer")
	}
}

// expect compares what Vault holds with a file, which it returns: path → dotted field →
// value.
func (b *bed) expect(t *testing.T, file string, edits ...string) map[string]map[string]any {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var expectations map[string]map[string]any
	text := strings.NewReplacer(append(edits, "AUDIT_DIR", b.dir)...).Replace(string(content))
	if err := json.Unmarshal([]byte(text), &expectations); err != nil {
		t.Fatal(err)
	}
	for path, fields := range expectations {
		if !fitting.Path(t, path) {
			delete(expectations, path)
			continue
		}
		shown := decode(t, b.call(t, "GET", path, nil))
		for field, want := range fields {
			if !fitting.Field(t, path, field) {
				continue
			}
			if got := dig(shown, field); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s is %#v, want %#v", path, field, got, want)
			}
		}
	}
	return expectations
}

func toJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestMissingReference holds that a reference without a value stops the run before
// anything is written.
func TestMissingReference(t *testing.T) {
	b := start(t)
	for _, test := range []struct{ text, want string }{
		{`${ vault "kv/data/nothing" "x" }`, `vault "kv/data/nothing" "x" is neither declared nor there`},
		{`${ accessor "nowhere" }`, `accessor "nowhere" is neither declared nor there`},
	} {
		writes := b.writes(t, func() {
			objects := b.inline(t, "entities:\n  - {name: a, metadata: {x: '"+test.text+"'}}\nsecrets: [{type: kv}]\n")
			_, err := reconcile.NewPlan(t.Context(), b.as(t, b.root), reconcile.Goal{Objects: objects})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "seed.yaml:2:") {
				t.Errorf("got %v", err)
			}
		})
		if len(writes) > 0 {
			t.Errorf("wrote %v", writes)
		}
	}
}

// emptyCRL returns a revocation list of a CA that is made for it.
func emptyCRL(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}
