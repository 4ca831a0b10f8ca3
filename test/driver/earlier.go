package driver

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// LastClear is the last commit whose program knows no encrypted keys record.
const LastClear = "fca1e9c1d1253ec1f97f1990af06657ae778fade"

// ErrNoHistory means that a commit is not in the repository, as in a shallow clone.
var ErrNoHistory = errors.New("the commit is not in this repository: is the clone shallow?")

// Earlier returns the program of an earlier commit, which it builds once and keeps beside the tools.
// It fails with ErrNoHistory.
func Earlier(ctx context.Context, commit string) (string, error) {
	tools, err := testbed.ToolsPath()
	if err != nil {
		return "", err
	}
	root, err := Repository()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(tools), "vault-bootstrap-"+commit[:7])
	path := filepath.Join(dir, "vault-bootstrap")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := exec.CommandContext(ctx, "git", "-C", root, "cat-file", "-e", commit+"^{commit}").Run(); err != nil {
		return "", ErrNoHistory
	}
	source, err := os.MkdirTemp("", "vault-bootstrap-"+commit[:7]+"-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(source) }()
	if err := extract(ctx, root, commit, source); err != nil {
		return "", fmt.Errorf("taking %.7s out of the repository: %w", commit, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// Under its own name only when it is whole.
	made := filepath.Join(source, "made")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", made, "./cmd/vault-bootstrap")
	cmd.Dir, cmd.Env = source, append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly", "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %.7s: %w\n%s", commit, err, said)
	}
	return path, install(made, path)
}

// extract puts the files of a commit into a directory.
func extract(ctx context.Context, root, commit, into string) error {
	archive, err := exec.CommandContext(ctx, "git", "-C", root, "archive", "--format=tar", commit).Output()
	if err != nil {
		return err
	}
	files := tar.NewReader(bytes.NewReader(archive))
	for {
		file, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if file.Typeflag != tar.TypeReg {
			continue
		}
		path := filepath.Join(into, filepath.Clean("/"+file.Name))
		content, err := io.ReadAll(files)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o700)
		}
		if err == nil {
			err = os.WriteFile(path, content, 0o600)
		}
		if err != nil {
			return err
		}
	}
}

// install copies a program to a path on which others may look at the same time.
func install(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(to), ".new-*")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Chmod(0o755), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), to)
}
