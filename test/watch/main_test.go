// Package watch shows, on a real Vault and a real API server, what 'watch' and 'wait'
// do over time: restarts, drift, changed seeds, rivals, and what they tell.
package watch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "vault-bootstrap-watch-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := 1
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	if controlPlane.plane != nil {
		if err := controlPlane.plane.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir string) error {
	began := time.Now()
	binary = filepath.Join(dir, "vault-bootstrap")
	cmd := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/vault-bootstrap")
	cmd.Dir = "../.." // the root module has a go.mod of its own
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the binary: %w", err)
	}
	fmt.Printf("built the binary in %s\n", time.Since(began).Round(time.Millisecond))
	return nil
}
