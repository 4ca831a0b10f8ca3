package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ToolsPath returns the directory that holds the pinned binaries: TOOLS_BIN if it
// is set, else what test/tools/build --path answers, the script being looked for
// upwards from the working directory.
func ToolsPath() (string, error) {
	if dir := os.Getenv("TOOLS_BIN"); dir != "" {
		return dir, nil
	}
	script, err := findUpwards(filepath.Join("test", "tools", "build"))
	if err != nil {
		return "", fmt.Errorf("finding the tools: %w (or set TOOLS_BIN)", err)
	}
	cmd := exec.Command(script, "--path")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("finding the tools: running %s --path: %w: %s", script, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// LookTool returns the path of a pinned binary. The error says how to build one
// that is missing; a binary of the same name elsewhere on PATH is never taken,
// since the suites are only worth something with the pinned version.
func LookTool(name string) (string, error) {
	dir, err := ToolsPath()
	if err != nil {
		return "", err
	}
	return lookIn(dir, name)
}

func lookIn(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("looking for the tool %q: %w; did you forget to run test/tools/build? (--list shows what is there)", name, err)
	}
	return path, nil
}

// findUpwards looks for a file in the working directory and in those above it.
func findUpwards(name string) (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, name)
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("there is no %s in %s or above it", name, start)
		}
	}
}
