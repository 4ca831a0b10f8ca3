package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// diagnosis is what 'doctor -o json' prints.
type diagnosis struct {
	Checks []struct {
		Check, Status, Text string
		Error               *struct{ Kind, Name, Message, Remedy string }
	}
	First    string
	ExitCode int `json:"exit_code"`
}

// String shows the checks, a line each.
func (d diagnosis) String() string {
	text := ""
	for _, each := range d.Checks {
		text += fmt.Sprintf("%s: %s: %s\n", each.Check, each.Status, each.Text)
		if each.Error != nil {
			text += "\t" + each.Error.Remedy + "\n"
		}
	}
	return text
}

// broken is a set-up that is broken, and what doctor says of it.
type broken struct {
	name string
	// flags and env come after those of the installation, and win.
	flags, env []string
	// first is the check that is wrong first, code the exit code.
	first string
	code  int
	// says is in what is wrong, does in what to do about it.
	says, does string
}

// examine runs doctor, and fails the test unless it names what is wrong.
func (p *program) examine(t *testing.T, b broken) diagnosis {
	t.Helper()
	in := *p.with(b.env...)
	in.t = t
	r := in.run("doctor", append([]string{"-o=json"}, b.flags...)...)
	var d diagnosis
	if err := json.Unmarshal([]byte(r.Stdout), &d); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	if r.Code != b.code {
		t.Errorf("exited with %d, want %d", r.Code, b.code)
	}
	if d.First != b.first || d.ExitCode != b.code {
		t.Errorf("wrong first is %q with %d, want %q with %d\n%s", d.First, d.ExitCode, b.first, b.code, d)
	}
	for _, each := range d.Checks {
		switch {
		case each.Status == "wrong" && (each.Error == nil || each.Error.Remedy == ""):
			t.Errorf("what is wrong with %q has no remedy\n%s", each.Check, d)
		case each.Check != b.first || each.Error == nil:
		case !strings.Contains(each.Error.Message, b.says) || !strings.Contains(each.Error.Remedy, b.does):
			t.Errorf("it does not say %q and %q\n%s", b.says, b.does, d)
		}
	}
	return d
}

// examineAll examines broken set-ups of one installation, which none of them changes.
func (p *program) examineAll(t *testing.T, all []broken) {
	t.Helper()
	for _, b := range all {
		t.Run(b.name, func(t *testing.T) { p.examine(t, b) })
	}
}

// copyOf returns a copy of records in files.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.MkdirAll(copied, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, record := range []string{"keys", "state"} {
		write(t, driver.RecordFile(copied, record), read(t, driver.RecordFile(dir, record)))
	}
	return copied
}

// silent returns an address on which nobody listens.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// TestDoctor breaks the way to a Vault, its records and its login.
func TestDoctor(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
	node := cluster.Nodes[0]
	seed, _ := exampleSeed(t)
	p, dir := inFiles(t, cluster, "--seed="+seed)
	p.examine(t, broken{}) // nothing is wrong with what is new
	p.must(0, "run")
	wantWell(t, p)

	port := strings.TrimPrefix(node.Addr, "https://127.0.0.1:")
	other, err := testbed.NewCA(t.TempDir(), "other")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	corrupt, keyless, open := copyOf(t, dir), copyOf(t, dir), copyOf(t, dir)
	write(t, driver.RecordFile(corrupt, "keys"), `{"version": 1, "set`)
	if err := os.Remove(driver.RecordFile(keyless, "keys")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(driver.RecordFile(open, "keys"), 0o644); err != nil {
		t.Fatal(err)
	}
	misspelt := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, misspelt, "polices: []\n")
	homeless := filepath.Join(t.TempDir(), "seed.yaml")
	write(t, homeless, "policies: [{name: other, rules: '${ env \"NOT_SET\" }'}]\n")
	refuses := testbed.HTTPProxyFor(t, "http://"+silent(t))
	refuses.Inject(testbed.Fault{Path: "*", Status: http.StatusForbidden, Body: "<html>not on the list</html>"})
	late := testbed.HTTPProxyFor(t, node.Addr)
	late.Inject(testbed.Fault{Path: "/v1/sys/health", Status: http.StatusOK,
		Body: fmt.Sprintf(`{"initialized":true,"sealed":false,"standby":false,"version":"1.21.1","server_time_utc":%d}`, time.Now().Add(-time.Hour).Unix())})

	const address = "--vault-addr="
	for _, b := range []broken{
		{name: "the store is a file", flags: []string{"--store=file:" + file}, first: "store", code: 64, says: file},
		{name: "the keys record is corrupt", flags: []string{"--store=file:" + corrupt}, first: "store", code: 70, says: "record corrupt"},
		{name: "everybody may read the keys record", flags: []string{"--store=file:" + open}, first: "store", code: 64, says: "by others", does: "chmod 600"},
		{name: "the keys record is gone", flags: []string{"--store=file:" + keyless}, first: "seal", code: 70, says: "keys missing", does: "Restore your copy"},
		{name: "the records are elsewhere", flags: []string{"--store=file:" + t.TempDir()}, first: "seal", code: 70, says: "not ours", does: "--store"},
		{name: "the seed is misspelt", flags: []string{"--seed=" + misspelt}, first: "seed", code: 65, says: "polices"},
		{name: "a variable of the seed is not set", flags: []string{"--seed=" + homeless}, first: "seed", code: 65, says: "NOT_SET"},
		{name: "the CA is another", flags: []string{"--ca-cert=" + other.CertFile}, first: "tls", code: 64, says: "unknown authority", does: "--ca-cert"},
		{name: "the CA's file is missing", flags: []string{"--ca-cert=/nowhere/ca.pem"}, first: "tls", code: 64, says: "/nowhere/ca.pem", does: "--ca-cert"},
		{name: "the certificate is for another name", flags: []string{"--tls-server-name=vault.example.org"}, first: "tls", code: 64, says: "vault.example.org", does: "--tls-server-name"},
	} {
		t.Run(b.name, func(t *testing.T) { p.examine(t, b) })
	}
	// Of an address the last one does not win, so these are given without that of the installation.
	bare := *p
	bare.flags = []string{"--store=file:" + dir, "--seed=" + seed, "--ca-cert=" + cluster.CAFile}
	bare.examineAll(t, []broken{
		{name: "the name does not resolve", flags: []string{address + "https://vault.nowhere.invalid:8200"}, first: "dns", code: 1, says: "vault.nowhere.invalid", does: "--vault-addr"},
		{name: "nobody listens", flags: []string{address + "https://" + silent(t)}, first: "network", code: 1, says: "refused", does: "server runs"},
		{name: "something else listens", flags: []string{address + refuses.URL}, first: "network", code: 1, says: "not Vault's", does: "in front of Vault"},
		{name: "HTTP is spoken to a port for TLS", flags: []string{address + "http://127.0.0.1:" + port}, first: "tls", code: 64, says: "expects TLS", does: "https://"},
		{name: "the address is no URL", flags: []string{address + "vault:8200"}, first: "dns", code: 64, says: "does not begin with https://"},
		{name: "a proxy is in between", flags: []string{address + "http://vault.example.test:8200"}, env: []string{"HTTP_PROXY=" + refuses.URL}, first: "network", code: 64, says: "proxy 127.0.0.1", does: "NO_PROXY"},
		{name: "the proxy is away", flags: []string{address + "https://vault.example.test:8200"}, env: []string{"HTTPS_PROXY=http://user:secret-of-the-proxy@" + silent(t)}, first: "network", code: 64, says: "proxy 127.0.0.1", does: "NO_PROXY"},
		{name: "Vault's clock is an hour behind", flags: []string{address + late.URL}, first: "clock", code: 1, says: "behind ours", does: "NTP"},
	})

	root := rootOf(t, p, node)
	call := func(method, path string, in any) {
		t.Helper()
		if err := node.Call(t.Context(), method, path, root, in, nil); err != nil {
			t.Fatal(err)
		}
	}
	var own struct{ Data struct{ Policy string } }
	if err := node.Call(t.Context(), http.MethodGet, "sys/policies/acl/vault-bootstrap", root, nil, &own); err != nil {
		t.Fatal(err)
	}
	call(http.MethodPost, "sys/policies/acl/vault-bootstrap", map[string]string{"policy": `path "sys/health" { capabilities = ["read"] }`})
	p.examine(t, broken{first: "policy", code: 1, says: "permission denied", does: "break-glass run"})
	call(http.MethodPost, "sys/policies/acl/vault-bootstrap", map[string]string{"policy": own.Data.Policy + "\npath \"transit/*\" { capabilities = [\"deny\"] }\npath \"sys/mounts\" { capabilities = [\"deny\"] }\n"})
	p.examine(t, broken{first: "policy", code: 70, says: "sys/mounts"})
	call(http.MethodPost, "sys/policies/acl/vault-bootstrap", map[string]string{"policy": own.Data.Policy})

	call(http.MethodPut, "sys/seal", nil)
	p.examine(t, broken{first: "seal", code: 1, says: "sealed", does: "vault-bootstrap run"})
	p.must(0, "run")
	wantWell(t, p)

	call(http.MethodDelete, "auth/approle/role/vault-bootstrap", nil)
	p.examine(t, broken{first: "login", code: 70, says: "locked out", does: "break-glass run"})
	call(http.MethodDelete, "sys/auth/approle", nil)
	p.examine(t, broken{first: "login", code: 70, says: "locked out", does: "break-glass run"})
	p.must(0, "break-glass run", because)
	wantWell(t, p)
}

// wantWell fails the test unless doctor finds nothing wrong, in words as well, and changes nothing.
func wantWell(t *testing.T, p *program) {
	t.Helper()
	before := string(p.keys())
	d := p.examine(t, broken{})
	for _, each := range d.Checks {
		if each.Status != "ok" {
			t.Errorf("%s: %s %s", each.Check, each.Status, each.Text)
		}
	}
	if r := p.must(0, "doctor"); !strings.Contains(r.Stdout, "Nothing is wrong") || strings.Count(r.Stdout, "\n") != len(d.Checks)+2 {
		t.Errorf("it prints\n%s", r)
	}
	if string(p.keys()) != before {
		t.Error("the keys record was changed")
	}
}

// TestDoctorBeforeARun examines servers that no run of ours has finished with.
func TestDoctorBeforeARun(t *testing.T) {
	ours := testbed.VaultFor(t, testbed.VaultOptions{})
	p, dir := inFiles(t, ours)

	// Killed before Vault's answer came, which nobody has then.
	killedAt(p, "initialize.intended")
	if _, err := ours.Initialize(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	p.examine(t, broken{first: "seal", code: 70, says: "keys lost", does: "keys recover"})

	lost := testbed.VaultFor(t, testbed.VaultOptions{})
	full := testbed.VaultFor(t, testbed.VaultOptions{})
	q, kept := inFiles(t, full)
	q.must(0, "run")
	with := func(cluster *testbed.VaultCluster, store string) *program {
		return &program{t: t, keys: q.keys, flags: append(driver.VaultFlags(cluster), "--store=file:"+store)}
	}
	with(lost, kept).examine(t, broken{name: "its storage is gone", first: "seal", code: 70, says: "keys without a Vault", does: "keys retire"})

	foreign := testbed.VaultFor(t, testbed.VaultOptions{})
	keys, err := foreign.Initialize(t.Context(), 1, 1)
	if err == nil {
		err = foreign.Unseal(t.Context(), keys)
	}
	if err != nil {
		t.Fatal(err)
	}
	with(foreign, kept).examine(t, broken{name: "it is another Vault", first: "seal", code: 70, says: "foreign cluster", does: "two different Vaults"})
	with(foreign, dir+"-none").examine(t, broken{name: "somebody else's", first: "seal", code: 70, says: "not ours", does: "adopt"})

	t.Run("a development server", func(t *testing.T) {
		dev := testbed.VaultFor(t, testbed.VaultOptions{Storage: "inmem"})
		keys, err := dev.Initialize(t.Context(), 1, 1)
		if err == nil {
			err = dev.Unseal(t.Context(), keys)
		}
		if err != nil {
			t.Fatal(err)
		}
		in := with(dev, dir+"-dev")
		in.t = t
		in.examine(t, broken{first: "seal", code: 70, says: "development server", does: "docs/tutorial.md"})
		wantFailure(t, in.run("run"), 70, "development server", "vault server -dev")
		testbed.NoteSecrets(t, keys.RootToken, "a-password-for-trying")
		token, password := filepath.Join(t.TempDir(), "token"), filepath.Join(t.TempDir(), "password")
		write(t, token, keys.RootToken)
		write(t, password, "a-password-for-trying")
		keyless := with(dev, dir+"-keyless") // as the remedy says
		keyless.t, keyless.keys = t, nil
		keyless.must(0, "run", "--keys=none", "--token-file="+token, "--login=userpass", "--login-password-file="+password)
		keyless.examine(t, broken{flags: []string{"--keys=none", "--login=userpass", "--login-password-file=" + password}})
	})
	t.Run("the certificate has expired", func(t *testing.T) {
		ca, err := testbed.NewCA(t.TempDir(), "ca")
		if err != nil {
			t.Fatal(err)
		}
		for name, times := range map[string][2]time.Duration{"expired": {-48 * time.Hour, -time.Hour}, "early": {time.Hour, 48 * time.Hour}} {
			certificate, err := ca.Issue(testbed.CertRequest{Name: name, NotBefore: time.Now().Add(times[0]), NotAfter: time.Now().Add(times[1])})
			if err != nil {
				t.Fatal(err)
			}
			server := testbed.VaultFor(t, testbed.VaultOptions{Certificate: certificate})
			in, _ := inFiles(t, nil, "--vault-addr="+server.Nodes[0].Addr, "--ca-cert="+ca.CertFile)
			in.examine(t, broken{first: "tls", code: 64, says: "valid from", does: "renewed"})
		}
	})
	t.Run("HTTPS is spoken to a port without TLS", func(t *testing.T) {
		in, _ := inFiles(t, nil, "--vault-addr="+strings.Replace(lost.Nodes[0].Addr, "http:", "https:", 1))
		in.examine(t, broken{first: "tls", code: 64, says: "does not speak TLS", does: "http://"})
	})
	t.Run("the keys are sealed to somebody else", func(t *testing.T) {
		cluster := testbed.VaultFor(t, testbed.VaultOptions{})
		ada := newPerson(t)
		in, sealed := inFiles(t, cluster, "--keys-to="+ada.recipient, "--keys-identity="+ada.file)
		in.keys = ada.opens(t, in.keys)
		in.must(0, "run")
		bob := newPerson(t)
		in.flags = append(driver.VaultFlags(cluster), "--store=file:"+sealed, "--keys-to="+ada.recipient, "--keys-identity="+bob.file)
		in.examine(t, broken{first: "store", code: 70, says: "keys sealed to others"})
	})
	t.Run("the KMS is away", func(t *testing.T) {
		cluster := testbed.VaultFor(t, testbed.VaultOptions{})
		token := filepath.Join(t.TempDir(), "token")
		write(t, token, "no-token-at-all")
		in, dir := inFiles(t, cluster, "--keys-to=transit:http://"+silent(t)+"/transit/key", "--keys-token-file="+token)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		in.examine(t, broken{first: "store", code: 1, says: "transit"})
	})
}

// TestDoctorByJWT has a token that Vault does not take, each time for another reason.
func TestDoctorByJWT(t *testing.T) {
	p, issuer, file := byJWT(t, "jwt")
	p.must(0, "run")
	for _, test := range []struct {
		broken
		claims claimSet
	}{
		{broken{name: "it has expired", code: 70, says: "expired", does: "break-glass run"}, claimSet{subject: "ci:main", audience: "vault", expired: true}},
		{broken{name: "it is not valid yet", code: 70, says: "clocks differ", does: "break-glass run"}, claimSet{subject: "ci:main", audience: "vault", early: true}},
		{broken{name: "it has another signature", code: 70, says: "signature", does: "break-glass run"}, claimSet{subject: "ci:main", audience: "vault", forged: true}},
		{broken{name: "it is for somebody else", code: 70, says: "locked out", does: "break-glass run"}, claimSet{subject: "ci:fork", audience: "vault"}},
		{broken{name: "it is for another audience", code: 64, says: "is for the audience", does: "--login-audience"}, claimSet{subject: "ci:main", audience: "other"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			issuer.token(file, test.claims)
			test.first = "login"
			p.examine(t, test.broken)
		})
	}
	t.Run("it is missing", func(t *testing.T) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		p.examine(t, broken{first: "login", code: 64, says: file, does: "--login-token-file"})
	})
}
