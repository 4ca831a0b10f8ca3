package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Program says how the program under test is to be built.
type Program struct {
	// Tags is a build tag; "crashpoints" makes it stop at named points.
	Tags string
	// Release links it as a release is: static, and without symbols.
	Release bool
}

// build runs the compiler; see Build.
func build(ctx context.Context, path string, p Program) error {
	root, err := Repository()
	if err != nil {
		return err
	}
	began := time.Now()
	args := []string{"build", "-trimpath", "-tags", p.Tags, "-o", path}
	if p.Release {
		args = append(args, "-ldflags", "-s -w")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/vault-bootstrap")...)
	cmd.Dir = root // a module of its own
	cmd.Env = os.Environ()
	if p.Release {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the program (tags %q): %w\n%s", p.Tags, err, said.Bytes())
	}
	fmt.Printf("built the program (tags %q) in %s\n", p.Tags, time.Since(began).Round(time.Millisecond))
	return nil
}

// Repository returns the root of the repository, looked for upwards.
func Repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "vault-bootstrap")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("this is not inside the repository of vault-bootstrap")
		}
	}
}
