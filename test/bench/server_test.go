package bench

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

// memoryDir is where files stay in memory, on Linux.
const memoryDir = "/dev/shm"

// fresh starts an empty Vault on file storage, in memory where that is possible: on a
// disk, what the kernel happens to write back doubles the time of one run and not of the
// next.
func fresh(b *testing.B) (*testbed.VaultCluster, func()) {
	b.Helper()
	parent := ""
	if info, err := os.Stat(memoryDir); err == nil && info.IsDir() {
		parent = memoryDir
	}
	dir, err := os.MkdirTemp(parent, "vault-bootstrap-bench-")
	if err != nil {
		b.Fatal(err)
	}
	cluster, err := testbed.StartVault(b.Context(), testbed.VaultOptions{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	return cluster, func() {
		if err := errors.Join(cluster.Close(), os.RemoveAll(dir)); err != nil {
			b.Error(err)
		}
	}
}

// server is a Vault that the program has hardened without a seed, and the program's
// installation there. Between both lies a round trip where there is one to add.
type server struct {
	cluster *testbed.VaultCluster
	addr    string
	// root is a root token, and login one that carries the policy of the program's login and
	// nothing else.
	root, login string
	// store and seed are the program's records and its seed.
	store, seed string
	// audit is the log of the audit device; empty if there is none.
	audit string
	stop  func()
}

// hardened starts one.
func hardened(b *testing.B, binary string, rtt time.Duration, audited bool) *server {
	b.Helper()
	cluster, stop := fresh(b)
	s := &server{cluster: cluster, addr: cluster.Nodes[0].Addr, stop: stop}
	s.store, s.seed = filepath.Join(cluster.Dir, "records"), filepath.Join(cluster.Dir, "seed.yaml")
	if audited {
		s.audit = filepath.Join(cluster.Dir, "audit.log")
	}
	s.declare(b, "")
	s.run(b, binary)
	content, err := os.ReadFile(driver.RecordFile(s.store, "keys"))
	if err == nil {
		s.root, err = cluster.Nodes[0].GenerateRoot(b.Context(), driver.KeysFor(b, content).Set.Vault())
	}
	if err == nil {
		s.login, err = likeOurs(b.Context(), cluster.Nodes[0], s.root)
	}
	if err != nil {
		b.Fatal(err)
	}
	if rtt == 0 {
		return s
	}
	proxy, err := testbed.StartProxy(strings.TrimPrefix(s.addr, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	proxy.Delay(rtt / 2)
	s.addr = "http://" + proxy.Addr
	s.stop = func() {
		_ = proxy.Close()
		stop()
	}
	return s
}

// likeOurs makes a token as the program's login has one.
func likeOurs(ctx context.Context, node *testbed.VaultNode, root string) (string, error) {
	var answer struct {
		Auth struct {
			Token string `json:"client_token"`
		}
	}
	policies := m{"policies": []string{"vault-bootstrap"}, "no_default_policy": true}
	err := node.Call(ctx, http.MethodPost, "auth/token/create", root, policies, &answer)
	return answer.Auth.Token, err
}

// declare writes the seed: the audit device, if there is one, and a text.
func (s *server) declare(b *testing.B, text string) {
	b.Helper()
	if s.audit != "" {
		text = fmt.Sprintf("audit:\n  - {type: file, options: {file_path: %s}}\n", s.audit) + text
	}
	if text == "" {
		text = "policies: []\n"
	}
	if err := os.WriteFile(s.seed, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

// flags are those of a verb that reads the seed.
func (s *server) flags() []string {
	return []string{"--vault-addr=" + s.addr, "--store=file:" + s.store, "--seed=" + s.seed}
}

// command is the program, as it is started beside this server.
func (s *server) command(binary string, args ...string) driver.Command {
	return driver.Command{Binary: binary, Args: args, Home: s.cluster.Dir}
}

// run runs the program, start to exit.
func (s *server) run(b *testing.B, binary string, verb ...string) driver.Result {
	b.Helper()
	if len(verb) == 0 {
		verb = []string{"run"}
	}
	return succeeds(b, s.command(binary, append(verb, s.flags()...)...))
}

// succeeds runs a program and wants the exit code 0. Nothing but that is in the time that it
// takes.
func succeeds(b *testing.B, command driver.Command) driver.Result {
	b.Helper()
	done, err := command.Run(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if done.Code != 0 {
		b.Fatalf("%v exited with %d\n%s", done.Args, done.Code, done)
	}
	return done
}

// requests returns how many requests are in the audit log, and how many of them write.
func (s *server) requests(b *testing.B) (all, writes int) {
	b.Helper()
	found, _ := driver.AuditFor(b, s.audit, 0)
	for _, call := range found.Writes("approle") {
		if !strings.HasPrefix(call, "help ") {
			writes++
		}
	}
	return len(found), writes
}
