package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// TestRefusedIsNotOurs has the server refuse objects of a seed that prunes. Afterwards the ledger
// does not hold them, nor what lay below a refused mount, and when they are out of the seed the
// run has nothing to delete. What it holds for an object that exists stays.
func TestRefusedIsNotOurs(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	good := "prune: owned\npolicies: [{name: app, rules: 'path \"kv/data/app\" { capabilities = [\"read\"] }'}]\nauth:\n  - type: cert\n    path: certs\n"
	write(t, seed, good+"    crls: [{name: broken, crl: not-a-crl}]\n"+
		"secrets:\n  - {type: kv, path: nothing, config: {default_lease_ttl: 10h, max_lease_ttl: 1h}, configuration: {roles: [{name: below, ttl: 1h}]}}\n  - {type: pki, configuration: {roles: [{name: web, key_type: nonsense}, {name: mail, ttl: 1h}]}}\n")
	p, dir := inFiles(t, anyServer(t), "--seed="+seed, "--login=approle", "--timeout=60s")
	p.must(1, "run")
	p.must(1, "run")
	ledger := ledgerIn(t, dir)
	for _, id := range []string{"auth/certs/crls/broken", "sys/mounts/nothing", "nothing/roles/below", "pki/roles/web"} {
		if how, there := ledger[id]; there {
			t.Errorf("%s was refused, and the ledger says %q", id, how)
		}
	}
	for _, id := range []string{"sys/policies/acl/app", "sys/auth/certs", "sys/mounts/pki", "pki/roles/mail"} {
		if ledger[id] != "created" {
			t.Errorf("%s: the ledger says %q", id, ledger[id])
		}
	}
	write(t, seed, good+"secrets: [{type: pki, configuration: {roles: [{name: mail, ttl: 1h}]}}]\n")
	r := p.must(0, "run")
	for _, wrote := range r.Log("wrote") {
		if wrote.Text("action") == "delete" {
			t.Errorf("it deleted %s, which was refused", wrote.Text("object"))
		}
	}
	if state := status(p)["state"]; state != "hardened" {
		t.Errorf("the state is %v", state)
	}
}

// TestDeletedByHandIsNotDeleted takes a CRL out of the seed that somebody has deleted: Vault
// answers 400, 'no such CRL', to reading as well as to deleting it.
func TestDeletedByHandIsNotDeleted(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	good := "prune: owned\nauth:\n  - {type: userpass, users: [{username: root-like, password: correct-horse-battery, token_policies: [anything]}]}\n  - type: cert\n    path: certs\n"
	good = "policies: [{name: anything, rules: 'path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"] }'}]\n" + good
	write(t, seed, good+"    crls: [{name: mine, crl: "+quoted(emptyCRL(t))+"}]\n")
	cluster := anyServer(t)
	p, _ := inFiles(t, cluster, "--seed="+seed, "--login=approle", "--timeout=60s")
	p.must(0, "run")
	p.must(0, "plan", "--detailed-exitcode", "--seed="+seed, "--login=approle")
	call := administrator(t, cluster, "root-like")
	call("DELETE", "auth/certs/crls/mine", nil, nil)
	if r := p.must(3, "plan", "--detailed-exitcode", "--seed="+seed, "--login=approle"); !strings.Contains(r.Stdout, "+ auth/certs/crls/mine") {
		t.Errorf("a CRL that is gone: the plan says %s", r.Stdout)
	}
	write(t, seed, good)
	p.must(0, "run")
	p.must(0, "run")
}

// emptyCRL returns a revocation list of an authority of its own.
func emptyCRL(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}, authority, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list}))
}

func quoted(text string) string {
	encoded, _ := json.Marshal(text)
	return string(encoded)
}

// ledgerIn returns the ledger of a store of files.
func ledgerIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(driver.RecordFile(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	var record struct{ Ledger map[string]string }
	if err := json.Unmarshal(content, &record); err != nil {
		t.Fatal(err)
	}
	return record.Ledger
}
