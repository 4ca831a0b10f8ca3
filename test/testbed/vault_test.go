package testbed_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

func TestVaultOnFileStorage(t *testing.T) {
	t.Parallel()
	c := testbed.VaultFor(t, testbed.VaultOptions{})
	keys := initialize(t, c, 3, 2)
	n := c.Nodes[0]

	var lookup struct {
		Data struct{ Policies []string }
	}
	call(t, n, http.MethodGet, "auth/token/lookup-self", keys.RootToken, nil, &lookup)
	if got, want := strings.Join(lookup.Data.Policies, ","), "root"; got != want {
		t.Errorf("policies of the root token: got %q, want %q", got, want)
	}

	audit := filepath.Join(n.Dir, "audit.log")
	in := map[string]any{"type": "file", "options": map[string]string{"file_path": audit}}
	call(t, n, http.MethodPut, "sys/audit/file", keys.RootToken, in, nil)
	if _, err := os.Stat(audit); err != nil {
		t.Errorf("audit log in the node's directory: %v", err)
	}

	err := n.Call(t.Context(), http.MethodGet, "sys/mounts", "wrong", nil, nil)
	var denied *testbed.VaultError
	if !errors.As(err, &denied) || denied.Status != http.StatusForbidden {
		t.Errorf("a wrong token: got %v, want status 403", err)
	}
}

func TestVaultRestarts(t *testing.T) {
	t.Parallel()
	c := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
	keys := initialize(t, c, 1, 1)
	n := c.Nodes[0]
	addr, first := n.Addr, n.PID()

	if err := n.Start(t.Context()); err == nil {
		t.Error("starting a running node: no error")
	}
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if n.Alive() || n.PID() != 0 {
		t.Errorf("after Kill: alive %v, PID %d", n.Alive(), n.PID())
	}
	for range 3 {
		if err := n.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n.Addr != addr || n.PID() == first {
		t.Errorf("after Restart: address %s (was %s), PID %d (was %d)", n.Addr, addr, n.PID(), first)
	}
	if err := c.Unseal(t.Context(), keys); err != nil {
		t.Fatalf("the data did not survive: %v", err)
	}
	call(t, n, http.MethodGet, "auth/token/lookup-self", keys.RootToken, nil, nil)
}

func TestVaultRaftCluster(t *testing.T) {
	t.Parallel()
	c := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3, TLS: true})
	keys := initialize(t, c, 5, 3)

	servers, err := c.RaftServers(t.Context(), keys.RootToken)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(servers), 3; got != want {
		t.Fatalf("raft servers: got %v, want %d", servers, want)
	}

	// The cluster survives its active node.
	active, err := c.Active(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	soon := map[string]string{"server_stabilization_time": "1s"}
	call(t, active, http.MethodPost, "sys/storage/raft/autopilot/configuration", keys.RootToken, soon, nil)
	wait(t, "three voters", func(ctx context.Context) error {
		servers, err := c.RaftServers(ctx, keys.RootToken)
		for _, s := range servers {
			if !s.Voter {
				err = errors.Join(err, fmt.Errorf("%s is no voter", s.NodeID))
			}
		}
		return err
	})
	if err := active.Kill(); err != nil {
		t.Fatal(err)
	}
	wait(t, "another active node", func(ctx context.Context) error {
		_, err := c.Active(ctx)
		return err
	})

	// It survives a restart of all of it, too.
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, "unsealing after a restart", func(ctx context.Context) error { return c.Unseal(ctx, keys) })
}

func TestVaultStopLeavesNothing(t *testing.T) {
	t.Parallel()
	c, err := testbed.StartVault(t.Context(), testbed.VaultOptions{Storage: "inmem"})
	if err != nil {
		t.Fatal(err)
	}
	pid := c.Nodes[0].PID()
	begin := time.Now()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("stopped in %s", time.Since(begin).Round(time.Millisecond))
	wantGone(t, pid)
	if _, err := os.Stat(c.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary directory: got %v, want it gone", err)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

func TestVaultFailsToStart(t *testing.T) {
	t.Parallel()
	_, err := testbed.StartVault(t.Context(), testbed.VaultOptions{
		Dir: t.TempDir(), ExtraConfig: `seal "transit" { address = "http://127.0.0.1:1" }`,
	})
	if err == nil {
		t.Fatal("a seal that cannot work: no error")
	}
	if want := "error"; !strings.Contains(strings.ToLower(err.Error()), want) || !strings.Contains(err.Error(), "its last lines") {
		t.Errorf("the error lacks the log's last lines: %v", err)
	}
	for _, o := range []testbed.VaultOptions{
		{Storage: "paper"},
		{Storage: "file", Nodes: 3},
	} {
		if _, err := testbed.StartVault(t.Context(), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestVaultWithBadCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, err := testbed.NewCA(dir, "other")
	if err != nil {
		t.Fatal(err)
	}
	expired, err := ca.Issue(testbed.CertRequest{
		Name: "expired", NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := testbed.VaultFor(t, testbed.VaultOptions{Certificate: expired})
	_, err = clientTrusting(ca).Get(c.Nodes[0].Addr + "/v1/sys/health")
	if err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("a client that verifies: got %v, want an expired certificate", err)
	}
}

// wait polls for at most a minute, and says how long it took.
func wait(t *testing.T, name string, try func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begin := time.Now()
	if err := testbed.Poll(ctx, 50*time.Millisecond, name, try); err != nil {
		t.Fatal(err)
	}
	t.Logf("waited for %s: %s", name, time.Since(begin).Round(time.Millisecond))
}

// initialize initializes and unseals a Vault, and says how long that took.
func initialize(t *testing.T, c *testbed.VaultCluster, shares, threshold int) testbed.VaultKeys {
	t.Helper()
	begin := time.Now()
	keys, err := c.Initialize(t.Context(), shares, threshold)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("initialized in %s", time.Since(begin).Round(time.Millisecond))
	begin = time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Unseal(ctx, keys); err != nil {
		t.Fatal(err)
	}
	t.Logf("unsealed in %s", time.Since(begin).Round(time.Millisecond))
	return keys
}

func call(t *testing.T, n *testbed.VaultNode, method, path, token string, in, out any) {
	t.Helper()
	if err := n.Call(t.Context(), method, path, token, in, out); err != nil {
		t.Fatal(err)
	}
}

// wantGone fails the test if one of the processes exists.
func wantGone(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if pid == 0 {
			t.Error("there was no process to begin with")
		} else if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d: got %v, want it gone", pid, err)
		}
	}
}
