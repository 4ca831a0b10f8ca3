package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// skipError says why a case is not possible on this machine.
type skipError struct{ why error }

func (e *skipError) Error() string { return "skipped: " + e.why.Error() }

// onSmallDisk makes the spool directory a file system of one page, for as long as do
// takes.
func (sc *scene) onSmallDisk(do func() error) (err error) {
	if err := os.Mkdir(sc.spool, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", sc.spool, "tmpfs", 0, "size=4k,mode=0700"); err != nil {
		return &skipError{fmt.Errorf("mounting a small file system: %w", err)}
	}
	defer func() { err = errors.Join(err, syscall.Unmount(sc.spool, 0)) }()
	return do()
}

// fill leaves no room in the spool directory.
func (sc *scene) fill() error {
	err := os.WriteFile(filepath.Join(sc.spool, "other"), make([]byte, 1<<16), 0o600)
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("filling the disk: %w", err)
	}
	return nil
}

// diskFull has no place to spool: the run must refuse before Vault is touched.
func diskFull(ctx context.Context, sc *scene) error {
	return sc.onSmallDisk(func() error {
		if err := sc.fill(); err != nil {
			return err
		}
		end, err := sc.finish(ctx, sc.options())
		if err != nil {
			return err
		}
		if end.Code != exitUsage || !strings.Contains(end.Stderr, "no space left") || len(sc.inits()) > 0 {
			return fmt.Errorf("exit %d and %d × sys/init on a full disk\n%s", end.Code, len(sc.inits()), end.Stderr)
		}
		return nil
	})
}

// diskFillsUp fills the disk after it was checked: the keys arrive all the same.
func diskFillsUp(ctx context.Context, sc *scene) error {
	return sc.onSmallDisk(func() error {
		p, err := sc.startStopped(ctx, sc.stopping(pointIntended))
		if err != nil {
			return err
		}
		if err := errors.Join(sc.fill(), p.Resume(ctx, pointIntended)); err != nil {
			return err
		}
		if end := p.Wait(); end.Code != exitDone || !strings.Contains(end.Stderr, "not spooled here") {
			return fmt.Errorf("exit %d on a disk that filled up\n%s", end.Code, end.Stderr)
		}
		return nil
	})
}
