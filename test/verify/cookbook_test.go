package verify_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/test/provider"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// onPurpose is, for each seed of the cookbook, the controls that it fails on purpose, and the text
// in the line that the report refers to.
var onPurpose = map[string]map[string]struct {
	status harden.Status
	at     string
}{
	"approle-ci": nil, "baseline": nil, "quotas": nil, "database": nil, "jwt": nil, "kubernetes-app": nil, "ssh-ca": nil, "transit": nil, "two-teams": nil, "vault-config-operator": nil,
	"aws-audit":       {"audit-raw": {status: harden.Accepted}}, // which 'strict' accepts by an exception only
	"identity-groups": {"sudo-policies": {harden.Declared, "- name: platform"}},
	"oidc-groups":     {"listed-mounts": {harden.Declared, "- type: oidc"}},
	"pki":             {"mount-lease-ttl": {harden.Declared, "- type: pki"}},
	"userpass":        {"listed-mounts": {harden.Declared, "- type: userpass"}},
}

// recipe returns a seed of the cookbook as it works on the machine of the suite: without the services
// that it names, with an audit log of the suite, and with everything fixed that can be.
func recipe(t *testing.T, name, dir string) string {
	t.Helper()
	content, err := os.ReadFile("../../docs/cookbook/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	const host, issuer, database = "kubernetes_host: https://kubernetes.default.svc\n", "oidc_discovery_url: https://ci.example.org", "password_authentication: scram-sha-256"
	ca, err := os.ReadFile("../seed/testdata/everything/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	seed := strings.NewReplacer(
		"/vault/audit/hashed.log", dir+"/one.log", "/vault/audit", dir, "file_path: stdout", "file_path: "+dir+"/one.log",
		host, host+"      disable_local_ca_jwt: true\n      kubernetes_ca_cert: "+strconv.Quote(string(ca))+"\n",
		issuer, "jwt_validation_pubkeys: ["+strconv.Quote(publicKey(t))+"]",
		"oidc_discovery_url: https://login.example.org", "oidc_discovery_url: "+people(t),
		database, database+"\n          verify_connection: false",
		"expires: 2027-11-30", "expires: 2999-12-31",
		"  profile: baseline\n", "  profile: baseline\n  fix: [all]\n",
	).Replace(string(content))
	if !strings.Contains(seed, "\nharden:\n") {
		seed += "\nharden:\n  profile: baseline\n  fix: [all]\n"
	}
	if !strings.Contains(seed, "\naudit:\n") {
		seed += "\naudit:\n  - {type: file, path: one, options: {file_path: " + dir + "/one.log}}\n"
	}
	return seed
}

// people starts a provider at which nobody can log in.
func people(t *testing.T) string {
	t.Helper()
	return provider.StartFor(t, "vault", "a-secret-of-the-client", []string{"http://localhost:8250/oidc/callback"})
}

// TestCookbook holds that every seed of the cookbook passes what it does not decide, that what it
// declares on purpose is shown with its place, and that fixing everything comes to an end.
func TestCookbook(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/cookbook/*.yaml")
	if err != nil || len(files) != len(onPurpose) {
		t.Fatalf("%d seeds in the cookbook, %d here: %v", len(files), len(onPurpose), err)
	}
	for _, secret := range []string{"a-password-of-ada", "a-password-of-bob", "a-password-of-orders", "a-secret-of-the-client"} {
		testbed.NoteSecrets(t, secret)
	}
	// What fails without any seed is the server's, and no seed can be to blame for it.
	bare := cooked(t, func(dir string) string {
		return "audit:\n  - {type: file, path: one, options: {file_path: " + dir + "/one.log}}\nharden:\n  profile: baseline\n  fix: [all]\n"
	})
	bare.must(t, 0, "run")
	without := bare.verify(t)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			if name == "aws-audit" {
				testbed.NeedsPlugin(t, "auth", "aws")
			}
			b := cooked(t, func(dir string) string { return recipe(t, name, dir) })
			b.must(t, 0, "run")
			_, before := b.audited(t, 0)
			b.must(t, 0, "run")
			if writes, _ := b.audited(t, before); len(writes) > 0 {
				t.Errorf("the next run wrote %v", writes)
			}
			b.must(t, 0, "plan", "--detailed-exitcode")
			for _, profile := range []string{"production", "strict"} {
				b.judged(t, name, profile, without)
			}
		})
	}
}

// cooked returns a program for a seed on a new Vault.
func cooked(t *testing.T, seed func(dir string) string) *bed {
	t.Helper()
	b := &bed{cluster: testbed.VaultFor(t, testbed.VaultOptions{TLS: true}), dir: t.TempDir()}
	b.node = b.cluster.Nodes[0]
	b.program = inFiles(t, b.cluster, seed(b.dir))
	b.env = []string{"ALICE_PASSWORD=a-password-of-ada", "BOB_PASSWORD=a-password-of-bob", "ORDERS_PASSWORD=a-password-of-orders", "OIDC_CLIENT_SECRET=a-secret-of-the-client"}
	return b
}

// judged compares what a profile finds with what the seed declares on purpose. without is what was
// found without the seed.
func (b *bed) judged(t *testing.T, name, profile string, without map[string]shown) {
	t.Helper()
	found := b.verify(t, "--profile="+profile)
	for id, control := range found {
		wanted, meant := onPurpose[name][id]
		switch {
		case !meant && control.Status != without[id].Status && control.Status != harden.Holds:
			t.Errorf("%s: %s %s (%s %v), without the seed: %s", profile, id, control.Status, control.Seen, control.Objects, without[id].Status)
		case meant && control.Status != wanted.status:
			t.Errorf("%s: %s %s (%s %v), want %s", profile, id, control.Status, control.Seen, control.Objects, wanted.status)
		case control.Fixable:
			t.Errorf("%s: a fix of %s is offered: %s %v", profile, id, control.Seen, control.Objects)
		}
		for _, declared := range control.Declared {
			if !b.names(t, declared.At, wanted.at) {
				t.Errorf("%s: %s refers to %q for %s, where the seed does not say %q", profile, id, declared.At, declared.Object, wanted.at)
			}
		}
		if wanted.status == harden.Declared && len(control.Declared) == 0 {
			t.Errorf("%s: %s does not say where the seed declares it", profile, id)
		}
	}
}

// names reports whether a place, FILE:LINE:COLUMN, is in the seed and its line holds text.
func (p *program) names(t *testing.T, place, text string) bool {
	t.Helper()
	parts := strings.Split(place, ":")
	if len(parts) != 3 || parts[0] != p.seed {
		return false
	}
	content, err := os.ReadFile(p.seed)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(parts[1])
	lines := strings.Split(string(content), "\n")
	return err == nil && number >= 1 && number <= len(lines) && strings.Contains(lines[number-1], text)
}
