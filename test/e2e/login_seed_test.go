package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestLoginInSeed has the seed choose the login, for every verb that logs in; a flag goes
// before it, and a seed that names another login is no change of what Vault is to hold.
func TestLoginInSeed(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	seed, auditLog := exampleSeed(t)
	testbed.NoteSecrets(t, "a-password-of-the-suite", "another-password-of-the-suite")
	write(t, filepath.Join(filepath.Dir(seed), "password"), "a-password-of-the-suite\n")
	content, err := os.ReadFile(seed)
	if err != nil {
		t.Fatal(err)
	}
	sow := func(login string) { write(t, seed, string(content)+login) }
	sow("login:\n  - method: userpass\n    path: machines\n    password_file: ${ env \"PASSWORD_FILE\" }\n")
	p, _ := inFiles(t, cluster, "--seed="+seed)
	p.env = append(p.env, "PASSWORD_FILE=password")
	wantLaterRuns(t, p)

	_, before := driver.AuditFor(t, auditLog, 0)
	if r := p.must(0, "plan", "--seed="+seed, "--detailed-exitcode"); !strings.Contains(r.Stdout, "0 to create, 0 to update") {
		t.Errorf("the plan: %s", r)
	}
	if r := p.run("verify", "--seed="+seed, "-o=json"); r.Code != 3 || !strings.Contains(r.Stdout, `"controls"`) {
		t.Errorf("verify: %s", r)
	}
	entries, _ := driver.AuditFor(t, auditLog, before)
	logins := 0
	for _, entry := range entries {
		if entry.Request.Path == "auth/machines/login/vault-bootstrap" {
			logins++
		}
	}
	if logins != 2 {
		t.Errorf("plan and verify have logged in %d times by what the seed says", logins)
	}
	bare := &program{t: t, keys: p.keys}
	if r := bare.must(0, "seed policy", seed); !strings.Contains(r.Stdout, `"auth/machines/users/vault-bootstrap"`) {
		t.Errorf("the policy does not know the login: %s", r)
	}

	other := filepath.Join(t.TempDir(), "password")
	write(t, other, "another-password-of-the-suite")
	wantFailure(t, p.run("run", "--login-password-file="+other), 70, "locked out", "by userpass: the user or the password")
	wantFailure(t, p.run("run", "--login=approle"), 70, "locked out", "by approle")
	p.must(0, "run")

	// The second method is not set up: that takes root. The first goes on working, and
	// nothing looks changed.
	sow("login:\n  - method: userpass\n    path: machines\n    password_file: password\n  - method: approle\n")
	_, before = driver.AuditFor(t, auditLog, 0)
	for range 2 {
		wantEvents(t, "a run with another login in the seed", p.must(0, "run").Events())
	}
	entries, _ = driver.AuditFor(t, auditLog, before)
	wrote := slices.DeleteFunc(writes(entries), func(call string) bool { return strings.HasSuffix(call, "auth/machines/login/vault-bootstrap") })
	if len(wrote) > 0 {
		t.Errorf("a seed with another login made a run write: %v", wrote)
	}

	sow(fmt.Sprintf("login:\n  - method: userpass\n    password_file: %s\n  - method: ldap\n", other))
	wantFailure(t, p.run("run"), 65, "must be one of kubernetes, approle")
}
