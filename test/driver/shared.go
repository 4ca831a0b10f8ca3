package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// SharedVariable names a directory in which suites that run one after another, or side by
// side, share what they have built. Whoever sets it removes it: what is in it is taken as
// it is, also when the code has changed since.
const SharedVariable = "TEST_PROGRAMS"

// Build builds the program from this repository to path, or takes what another suite has
// built (see SharedVariable): linking takes seconds, which every suite would spend anew.
func Build(ctx context.Context, path string, p Program) error {
	dir := os.Getenv(SharedVariable)
	if dir == "" {
		return build(ctx, path, p)
	}
	shared := filepath.Join(dir, "vault-bootstrap-"+p.Tags)
	if p.Release {
		shared += "-release"
	}
	if err := buildOnce(ctx, shared, p); err != nil {
		return err
	}
	return os.Link(shared, path)
}

// buildOnce builds the program to path if it is not there. Others who want the same one
// wait.
func buildOnce(ctx context.Context, path string, p Program) (err error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // which unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("waiting for another suite to build the program: %w", err)
	}
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	// Under its own name only when it is whole.
	if err := build(ctx, path+".new", p); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
