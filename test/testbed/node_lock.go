package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// nodeLockFile makes clusters take turns: they share the name of a network link and
// of a control group. It holds the directory of the cluster that runs, so that the
// next one can remove what a killed one has left. The kernel drops the lock with the
// process that holds it.
const nodeLockFile = "/run/vault-bootstrap-node.lock"

type nodeLock struct {
	file *os.File
	dir  string
}

// lockNode waits for its turn, and removes leftovers.
func lockNode(ctx context.Context) (*nodeLock, error) {
	file, err := os.OpenFile(nodeLockFile, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the node: %w", err)
	}
	said := false
	err = Poll(ctx, 500*time.Millisecond, "the lock "+nodeLockFile, func(context.Context) error {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil && !said {
			said = true
			fmt.Println("node: another cluster runs on this machine: waiting for its end")
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	l := &nodeLock{file: file}
	left, err := io.ReadAll(file)
	if err == nil {
		l.dir = string(left)
		err = l.sweep()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("removing what a killed cluster has left: %w", err), file.Close())
	}
	return l, nil
}

// record writes down where this cluster keeps its files.
func (l *nodeLock) record(dir string) error {
	l.dir = dir
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(dir), 0)
	return err
}

// release removes what the node has left, and lets the next one begin.
func (l *nodeLock) release() error {
	return errors.Join(l.sweep(), l.file.Truncate(0), l.file.Close())
}

// bulk are the node's files that are large and tell nobody anything.
var bulk = []string{"containerd", "registry", "kubelet", "volumes", "over", "work", "sys", "layers"}

// sweep removes what is left of a node whose processes have ended, or are about to:
// namespaces go with the last process in them, and what they kept busy then is free.
func (l *nodeLock) sweep() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return Poll(ctx, 100*time.Millisecond, "the end of the node's processes", func(context.Context) error {
		if _, err := os.Stat("/sys/class/net/" + linkName); err == nil {
			// Its other end may be held by a process that is about to end.
			_ = exec.Command("ip", "link", "delete", linkName).Run()
			return fmt.Errorf("the network link %q is there", linkName)
		}
		if err := removeGroups(); err != nil {
			return err
		}
		if l.dir == "" {
			return nil
		}
		if _, err := os.Stat(filepath.Join(l.dir, "node.sh")); err != nil {
			return nil // nothing was started there, or it is gone
		}
		var errs []error
		for _, each := range bulk {
			errs = append(errs, os.RemoveAll(filepath.Join(l.dir, each)))
		}
		return errors.Join(errs...)
	})
}

// removeGroups removes our control groups, the innermost first. A group with a
// process in it cannot be removed.
func removeGroups() error {
	roots, err := filepath.Glob("/sys/fs/cgroup/*/" + cgroupName)
	if err != nil {
		return err
	}
	for _, root := range append(roots, "/sys/fs/cgroup/"+cgroupName) {
		var groups []string
		err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return ignoreNotExist(err)
		})
		if err != nil {
			return err
		}
		for _, group := range slices.Backward(groups) {
			if err := ignoreNotExist(syscall.Rmdir(group)); err != nil {
				return fmt.Errorf("removing the control group %q: %w", group, err)
			}
		}
	}
	return nil
}

func ignoreNotExist(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
