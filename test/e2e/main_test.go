package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The binaries under test. The second one differs in the build tag 'crashpoints'
// only: it can be stopped at named points.
var binary, stoppable string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "vault-bootstrap-e2e-")
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
	for _, each := range []struct {
		path *string
		tags string
	}{{&binary, ""}, {&stoppable, "crashpoints"}} {
		began := time.Now()
		*each.path = filepath.Join(dir, "vault-bootstrap"+each.tags)
		cmd := exec.Command("go", "build", "-trimpath", "-tags", each.tags, "-o", *each.path, "./cmd/vault-bootstrap")
		cmd.Dir = "../.." // the root module has a go.mod of its own
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("building the binary (tags %q): %w", each.tags, err)
		}
		fmt.Printf("built the binary (tags %q) in %s\n", each.tags, time.Since(began).Round(time.Millisecond))
	}
	return nil
}
