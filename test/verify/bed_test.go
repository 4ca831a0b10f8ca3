package verify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// bed is a hardened Vault with an administrator of the suite's own: a person with a
// password, since the program leaves no root token.
type bed struct {
	*program
	cluster *testbed.VaultCluster
	node    *testbed.VaultNode
	dir     string
	token   string
}

const password = "correct-horse-battery-staple"

// goodSeed declares two audit devices, the suite's administrator, and exceptions for
// her policy. rules are more lines of the section harden.
func goodSeed(dir, rules string) string {
	return fmt.Sprintf(`
audit:
  - {type: file, path: one, options: {file_path: %[1]s/one.log}}
  - {type: file, path: two, options: {file_path: %[1]s/two.log}}
policies:
  - name: suite
    rules: 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'
auth:
  - type: userpass
    users:
      - {username: suite, password: %[2]s, token_policies: [suite]}
secrets:
  - {type: kv, path: team}
harden:
  profile: baseline
  limits: {certificate-left: 1h}
  exceptions:
    - {control: wildcard-policies, object: suite, reason: the suite's administrator, expires: 2999-12-31}
    - {control: sudo-policies, object: suite, reason: the suite's administrator, expires: 2999-12-31}
%[3]s`, dir, password, rules)
}

// harden runs the program on a new Vault and logs the administrator in.
func hardened(t *testing.T, options testbed.VaultOptions, rules string, runFlags ...string) *bed {
	t.Helper()
	b := &bed{cluster: testbed.VaultFor(t, options), dir: t.TempDir()}
	b.node = b.cluster.Nodes[0]
	testbed.NoteSecrets(t, password)
	b.program = inFiles(t, b.cluster, goodSeed(b.dir, rules), runFlags...)
	b.must(t, 0, "run")
	b.login(t)
	b.call(t, http.MethodPut, "sys/quotas/rate-limit/everything", m{"rate": 100000})
	return b
}

type m = map[string]any

func (b *bed) login(t *testing.T) {
	t.Helper()
	var answer struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	active, err := b.cluster.Active(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.node = active
	if err := b.node.Call(t.Context(), http.MethodPut, "auth/userpass/login/suite", "", m{"password": password}, &answer); err != nil {
		t.Fatal(err)
	}
	b.token = answer.Auth.ClientToken
	testbed.NoteSecrets(t, b.token)
}

// call is a request of the administrator.
func (b *bed) call(t *testing.T, method, path string, in any) m {
	t.Helper()
	return b.callAs(t, b.token, method, path, in)
}

func (b *bed) callAs(t *testing.T, token, method, path string, in any) m {
	t.Helper()
	var raw json.RawMessage
	out := any(&raw)
	if method != http.MethodGet && method != http.MethodPost {
		out = nil // answers without a body, or one of no interest
	}
	if err := b.node.Call(t.Context(), method, path, token, in, out); err != nil {
		t.Fatal(err)
	}
	var body m
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
	}
	return body
}

// makeRoot makes a root token from the key shares, as a person could.
func (b *bed) makeRoot(t *testing.T) string {
	t.Helper()
	root, err := b.node.GenerateRoot(t.Context(), driver.KeysFor(t, b.keys(t)).Set.Vault())
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, root)
	return root
}

// reconfigure changes the node's configuration file, restarts it and has the program
// unseal it. It returns what puts the file back.
func (b *bed) reconfigure(t *testing.T, old, new string) (undo func(t *testing.T)) {
	t.Helper()
	before, err := os.ReadFile(b.node.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(before, []byte(old)) {
		t.Fatalf("the configuration does not hold %q", old)
	}
	restart := func(t *testing.T, content string) {
		t.Helper()
		write(t, b.node.ConfigFile, content)
		if err := b.node.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	restart(t, strings.Replace(string(before), old, new, 1))
	return func(t *testing.T) {
		t.Helper()
		restart(t, string(before))
		b.must(t, 0, "run")
	}
}

// audited returns the requests other than reads and lists in an audit log from a line on,
// without those of every run.
func (b *bed) audited(t *testing.T, from int) (writes []string, lines int) {
	t.Helper()
	found, lines := driver.AuditFor(t, filepath.Join(b.dir, "one.log"), from)
	return slices.DeleteFunc(found.Writes("approle"), func(call string) bool {
		return strings.HasSuffix(call, " auth/token/lookup-accessor") // a question, too
	}), lines
}
