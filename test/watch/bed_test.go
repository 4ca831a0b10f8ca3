package watch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// installation is one Vault with a seed and records.
type installation struct {
	t       *testing.T
	cluster *testbed.VaultCluster
	seed    string
	audit   string
	flags   []string // of every verb
	walk    []string // of run and watch beside them
	env     []string
}

// quick has a watch find things out quickly, and a Lease be given up quickly.
var quick = []string{
	"--interval=5s", "--health-interval=500ms", "--listen=127.0.0.1:0",
	"--lease-duration=4s", "--lease-renew-deadline=3s", "--lease-retry-period=500ms",
}

const seedText = `
audit:
  - type: file
    options:
      file_path: %s
      log_raw: "true"
policies:
  - name: app
    rules: 'path "kv/data/app/*" { capabilities = ["read"] }'
secrets:
  - type: kv
    path: kv
    options:
      version: "2"
`

const anotherPolicy = `
  - name: later
    rules: 'path "kv/data/later/*" { capabilities = ["read"] }'
`

// install prepares a seed, and records in files.
func install(t *testing.T, cluster *testbed.VaultCluster) *installation {
	t.Helper()
	dir := t.TempDir()
	in := &installation{t: t, cluster: cluster, seed: filepath.Join(dir, "seed.yaml"), audit: filepath.Join(dir, "audit.log")}
	in.sow(fmt.Sprintf(seedText, in.audit))
	in.flags = []string{"--store=file:" + filepath.Join(dir, "store")}
	in.walk = []string{"--seed=" + in.seed}
	in.flags = append(in.flags, driver.VaultFlags(cluster)...)
	return in
}

// sow replaces the seed by rename, as the kubelet does.
func (in *installation) sow(text string) {
	in.t.Helper()
	if err := os.WriteFile(in.seed+".new", []byte(text), 0o600); err != nil {
		in.t.Fatal(err)
	}
	if err := os.Rename(in.seed+".new", in.seed); err != nil {
		in.t.Fatal(err)
	}
}

func (in *installation) text() string {
	in.t.Helper()
	text, err := os.ReadFile(in.seed)
	if err != nil {
		in.t.Fatal(err)
	}
	return string(text)
}

func (in *installation) start(verb string, flags ...string) *process {
	in.t.Helper()
	args := append([]string{verb}, in.flags...)
	if verb == "run" || verb == "watch" {
		args = append(args, in.walk...)
	}
	return start(in.t, in.env, append(args, flags...)...)
}

// watch starts a watch that is quick to find things out.
func (in *installation) watch(flags ...string) *process {
	in.t.Helper()
	return in.start("watch", append(quick, flags...)...)
}

// adopt takes over a Vault that somebody else has initialized.
func (in *installation) adopt(keys testbed.VaultKeys) {
	in.t.Helper()
	args := append([]string{"adopt"}, append(append([]string{}, in.flags...), in.walk...)...)
	args = append(args, "--keys-file=-", "--token-file="+in.file(keys.RootToken), "--revoke-token", "--timeout=60s")
	launch(in.t, driver.Command{Binary: binary, Env: in.env, Stdin: strings.NewReader(keys.Shares[0]), Args: args}).Exits(0)
}

// root returns a token that may do everything, made from the stored shares.
func (in *installation) root() string {
	in.t.Helper()
	dir := strings.TrimPrefix(in.flags[0], "--store=file:")
	record, err := os.ReadFile(driver.RecordFile(dir, "keys"))
	if err != nil {
		in.t.Fatal(err)
	}
	testbed.NoteSecrets(in.t, testbed.SecretsIn(record)...)
	return in.rootFrom(record)
}

// rootFrom makes a root token from a keys record. It has to be called before an
// audit device is what the test is about: making one is in the log, too.
func (in *installation) rootFrom(record []byte) string {
	in.t.Helper()
	active, err := in.cluster.Active(in.t.Context())
	if err != nil {
		in.t.Fatal(err)
	}
	token, err := active.GenerateRoot(in.t.Context(), driver.KeysFor(in.t, record).Set.Vault())
	if err != nil {
		in.t.Fatal(err)
	}
	testbed.NoteSecrets(in.t, token)
	return token
}

// call calls Vault's active node.
func (in *installation) call(method, path, token string, body, answer any) error {
	in.t.Helper()
	ctx, cancel := context.WithTimeout(in.t.Context(), 10*time.Second)
	defer cancel()
	active, err := in.cluster.Active(ctx)
	if err != nil {
		return err
	}
	return active.Call(ctx, method, path, token, body, answer)
}

// comes waits until something is at path.
func (in *installation) comes(t *testing.T, path, token string) {
	t.Helper()
	eventually(t, path, 30*time.Second, func(context.Context) error {
		return in.call(http.MethodGet, path, token, nil, nil)
	})
}

// opens measures how long a node takes to be unsealed, from when it listens.
func opens(t *testing.T, node *testbed.VaultNode) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(t, "unsealing of "+node.Name, 30*time.Second, func(ctx context.Context) error {
		var status struct{ Sealed bool }
		if err := node.Call(ctx, http.MethodGet, "sys/seal-status", "", nil, &status); err != nil {
			return err
		}
		if status.Sealed {
			return errors.New("it is sealed")
		}
		return nil
	})
	return time.Since(began)
}

// file writes a secret to a file.
func (in *installation) file(text string) string {
	in.t.Helper()
	path := filepath.Join(in.t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		in.t.Fatal(err)
	}
	testbed.NoteSecrets(in.t, text)
	return path
}

// lines returns how many lines the audit log has.
func (in *installation) lines() int {
	in.t.Helper()
	_, lines := driver.AuditFor(in.t, in.audit, 0)
	return lines
}

// requests returns the requests in the audit log from a line on.
func (in *installation) requests(from int) driver.Audit {
	in.t.Helper()
	found, _ := driver.AuditFor(in.t, in.audit, from)
	return found
}

// written returns the requests that change Vault; a login of ours is none.
func (in *installation) written(from int) []string {
	in.t.Helper()
	return in.requests(from).Writes("approle")
}
