// Package seed_test applies seeds to real Vault servers.
//
// What Vault holds afterwards is read with raw API calls and compared with
// expectations written by hand; what was written is read from Vault's own audit log.
package seed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/fitting"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// bed is an unsealed Vault with an audit device of the suite's own.
type bed struct {
	*testbed.VaultNode
	root string
	// dir is where audit devices may write.
	dir string
	// memory is what the runs so far remembered.
	memory reconcile.Memory
	// What recipes of the cookbook have started.
	issuer   *issuer
	people   oidcPeople
	redirect string
	sts      string
	postgres func(username, password, query string) (string, error)
}

const probe = "suite-probe"

func start(t *testing.T) *bed {
	t.Helper()
	t.Parallel()
	return startVault(t, testbed.VaultOptions{})
}

func startVault(t *testing.T, options testbed.VaultOptions) *bed {
	t.Helper()
	cluster := testbed.VaultFor(t, options)
	keys, err := cluster.Initialize(t.Context(), 1, 1)
	if err == nil {
		err = cluster.Unseal(t.Context(), keys)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{VaultNode: cluster.Nodes[0], root: keys.RootToken, dir: t.TempDir(), memory: reconcile.Memory{HashKey: secret.New("key of this suite")}}
	b.call(t, "PUT", "sys/audit/"+probe, map[string]any{"type": "file", "options": map[string]string{"file_path": b.log()}})
	return b
}

func (b *bed) log() string { return filepath.Join(b.dir, probe+".log") }

// call is a request of an administrator.
func (b *bed) call(t *testing.T, method, path string, in any) map[string]any {
	t.Helper()
	answer, err := api{b.VaultNode, b.root}.do(t.Context(), method, path, in)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// writes returns the operations other than reads, lists and questions about fields
// that do caused, as "operation path", sorted, from the audit log.
func (b *bed) writes(t *testing.T, do func()) []string {
	t.Helper()
	return slices.DeleteFunc(b.calls(t, do), func(call string) bool {
		return strings.HasPrefix(call, "read ") || strings.HasPrefix(call, "list ") || strings.HasPrefix(call, "help ")
	})
}

// calls returns every operation that do caused, as writes does.
func (b *bed) calls(t *testing.T, do func()) []string {
	t.Helper()
	_, before := driver.AuditFor(t, b.log(), 0)
	do()
	after, _ := driver.AuditFor(t, b.log(), before)
	calls := after.Calls()
	slices.Sort(calls)
	return calls
}

// as returns a session with a token, as the program has one.
func (b *bed) as(t *testing.T, token string) *vault.Session {
	t.Helper()
	cluster, err := vault.New(vault.Config{Addresses: []string{b.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	session, err := cluster.Session(b.Addr, secret.New(token))
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// api makes raw calls with one token.
type api struct {
	node  *testbed.VaultNode
	token string
}

// answered adds the status to an error of the bed.
type answered struct{ *testbed.VaultError }

func (a answered) HTTPStatus() int { return a.Status }

func (a api) do(ctx context.Context, method, path string, in any) (map[string]any, error) {
	var raw json.RawMessage
	out := any(&raw)
	if method != http.MethodGet && method != "LIST" {
		out = nil // most writes answer 204 without a body
	}
	err := a.node.Call(ctx, method, path, a.token, in, out)
	var refused *testbed.VaultError
	if errors.As(err, &refused) {
		return nil, answered{refused}
	}
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	var body struct{ Data map[string]any }
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return body.Data, decoder.Decode(&body)
}

func (a api) Read(ctx context.Context, path string) (map[string]any, bool, error) {
	data, err := a.do(ctx, http.MethodGet, path, nil)
	var refused answered
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil, false, nil
	}
	return data, err == nil, err
}

func (a api) Write(ctx context.Context, path string, data map[string]any) (map[string]any, error) {
	return a.do(ctx, http.MethodPut, path, data)
}

// answer writes and returns the data of Vault's answer.
func (a api) answer(ctx context.Context, path string, in any) (map[string]any, error) {
	var body struct{ Data map[string]any }
	err := a.node.Call(ctx, http.MethodPut, path, a.token, in, &body)
	return body.Data, err
}

func (a api) Delete(ctx context.Context, path string) error {
	_, err := a.do(ctx, http.MethodDelete, path, nil)
	return err
}

var variables = map[string]string{
	"SUFFIX": "of-the-suite", "REVIEWER": "reviewer.jwt.of-the-suite", "ALICE_PASSWORD": "correct horse battery",
	"AWS_SECRET": "aws-secret-of-the-suite", "BINDPASS": "bindpass-of-the-suite",
	"BOB_PASSWORD": "incorrect horse battery", "ORDERS_PASSWORD": "orders-password-of-the-suite",
	"DB_PASSWORD": "db-password-of-the-suite", "OIDC_CLIENT_SECRET": "oidc-secret-of-the-suite",
}

// load returns the objects of a seed in testdata, or of the example that the
// package ships, with edits (old, new, …) made to its YAML text.
func (b *bed) load(t *testing.T, dir string, edits ...string) []object.Object {
	t.Helper()
	return b.resolve(t, b.read(t, dir, edits...))
}

// read reads a seed in testdata with edits made to its YAML text.
func (b *bed) read(t *testing.T, dir string, edits ...string) *seed.Seed {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	wanted := len(edits)
	edits = append(edits, "AUDIT_DIR", b.dir, "/vault/audit", b.dir)
	if dir == shipped {
		edits = append(edits, "disable_local_ca_jwt: true", withoutPod(t))
	}
	files, err := filepath.Glob(filepath.Join(copied, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
		fits := fitting.Seed(t, strings.NewReplacer(edits...).Replace(string(text)))
		if err := os.WriteFile(file, []byte(fits), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < wanted; i += 2 {
		if !bytes.Contains(all, []byte(edits[i])) {
			t.Fatalf("%s does not hold %q", dir, edits[i])
		}
	}
	s, err := seed.Load([]string{copied})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inline returns the objects of a seed in a text.
func (b *bed) inline(t *testing.T, text string) []object.Object {
	t.Helper()
	return b.resolve(t, parse(t, text))
}

// parse reads a seed in a text.
func parse(t *testing.T, text string) *seed.Seed {
	t.Helper()
	file := filepath.Join(t.TempDir(), "seed.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := seed.Load([]string{file})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// resolve returns the objects of a seed with the suite's references.
func (b *bed) resolve(t *testing.T, s *seed.Seed) []object.Object {
	t.Helper()
	objects, err := s.Objects(t.Context(), seed.Resolver{
		Env: func(name string) (string, bool) {
			value, found := variables[name]
			return value, found
		},
		Secret:    kubernetes(map[string]string{"database": "database-password-of-the-suite", "authority": authority(t)}),
		ConfigMap: kubernetes(map[string]string{"settings": "3141592", "crl": emptyCRL(t)}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

const (
	everything = "testdata/everything"
	shipped    = "../../internal/seed/testdata"
)

// plan plans as root.
func (b *bed) plan(t *testing.T, objects []object.Object) *reconcile.Plan {
	t.Helper()
	p, err := reconcile.NewPlan(t.Context(), b.as(t, b.root), reconcile.Goal{Objects: objects, Memory: b.memory, Parallelism: 16})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// apply plans and applies as root and remembers what came of it.
func (b *bed) apply(t *testing.T, objects []object.Object) reconcile.Result {
	t.Helper()
	result, err := reconcile.Apply(t.Context(), b.as(t, b.root), b.plan(t, objects), reconcile.Options{Parallelism: 16})
	if err != nil {
		t.Fatal(err)
	}
	b.memory.Hashes = result.Hashes
	return result
}

// wantEmpty fails the test with the plan's text if it is not empty.
func wantEmpty(t *testing.T, p *reconcile.Plan) {
	t.Helper()
	if !p.Empty() {
		t.Errorf("the plan is not empty:\n%s", text(t, p))
	}
}

func text(t *testing.T, p *reconcile.Plan) string {
	t.Helper()
	var b strings.Builder
	if err := p.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// withoutPod is what a seed says that has the server do without the files of a pod, since there is
// none: OpenBao wants Kubernetes' CA with it.
func withoutPod(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("disable_local_ca_jwt: true\n      kubernetes_ca_cert: %q", clusterCA(t))
}

// clusterCA is the certificate in the seeds of the suite.
func clusterCA(t *testing.T) string {
	t.Helper()
	ca, err := os.ReadFile(everything + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	return string(ca)
}
