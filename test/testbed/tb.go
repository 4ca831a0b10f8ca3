package testbed

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// TB is what the bed needs of a testing.TB; a plain program needs none.
type TB interface {
	Cleanup(func())
	Context() context.Context
	Errorf(format string, args ...any)
	Failed() bool
	Fatalf(format string, args ...any)
	Helper()
	Logf(format string, args ...any)
	Name() string
	TempDir() string
}

// VaultFor starts a Vault that ends with the test. When the test fails, the end of
// each server's log is in its output.
func VaultFor(t TB, o VaultOptions) *VaultCluster {
	t.Helper()
	if o.Dir == "" {
		o.Dir = WorkDirFor(t, "vault")
	}
	begin := time.Now()
	c, err := StartVault(t.Context(), o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Logf("vault started in %s", time.Since(begin).Round(time.Millisecond))
	closeWith(t, c.Close)
	for _, n := range c.Nodes {
		showOnFailure(t, n.LogFile)
	}
	return c
}

// HTTPProxyFor starts a proxy in front of a server's URL that ends with the test.
func HTTPProxyFor(t TB, target string) *HTTPProxy {
	t.Helper()
	p, err := StartHTTPProxy(HTTPProxyOptions{Target: target})
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// ControlPlaneFor starts a control plane that ends with the test. When the test
// fails, the end of the API server's log is in its output.
func ControlPlaneFor(t TB, o ControlPlaneOptions) *ControlPlane {
	t.Helper()
	if o.Dir == "" {
		o.Dir = WorkDirFor(t, "kubernetes")
	}
	begin := time.Now()
	c, err := StartControlPlane(t.Context(), o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Logf("control plane started in %s", time.Since(begin).Round(time.Millisecond))
	closeWith(t, c.Close)
	showOnFailure(t, c.apiServer.logFile)
	return c
}

// WorkDirFor returns a directory for a test's servers: the test's own temporary
// one, or, if TESTBED_DIR is set, a new one below that, which stays.
func WorkDirFor(t TB, name string) string {
	t.Helper()
	keep := os.Getenv("TESTBED_DIR")
	if keep == "" {
		return filepath.Join(t.TempDir(), name)
	}
	if err := os.MkdirAll(keep, 0o700); err != nil {
		t.Fatalf("making a working directory: %v", err)
	}
	dir, err := os.MkdirTemp(keep, strings.ReplaceAll(t.Name(), "/", "-")+"-"+name+"-")
	if err != nil {
		t.Fatalf("making a working directory: %v", err)
	}
	return dir
}

func closeWith(t TB, stop func() error) {
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
}

// showOnFailure is registered after the server's end, and so runs before it.
func showOnFailure(t TB, logFile string) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		text, err := os.ReadFile(logFile)
		if err != nil {
			t.Logf("reading a log: %v", err)
			return
		}
		t.Logf("last lines of %s:\n%s", logFile, lastLines(string(text), 3*logLines))
	})
}
