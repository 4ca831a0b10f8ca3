package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// repository returns the root of the repository, looked for upwards.
func repository() (string, error) {
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

// build builds the program with a build tag, or with none.
func build(root, path, tag string) (string, error) {
	began := time.Now()
	cmd := exec.Command("go", "build", "-trimpath", "-tags", tag, "-o", path, "./cmd/vault-bootstrap")
	cmd.Dir = root // a module of its own
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building the binary (tag %q): %w", tag, err)
	}
	fmt.Printf("crash: built the binary (tag %q) in %s\n", tag, time.Since(began).Round(time.Millisecond))
	return path, nil
}
