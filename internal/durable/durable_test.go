package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// names returns what is in a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestWrites(t *testing.T) {
	for name, write := range map[string]func(string, []byte) error{"replace": Replace, "write": Write} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			for _, content := range []string{"a long content", "short", ""} {
				if err := write(path, []byte(content)); err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(path); err != nil || string(got) != content {
					t.Errorf("got %q, %v, want %q", got, err, content)
				}
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("got %v, %v", info, err)
			}
			if left := names(t, dir); len(left) != 1 {
				t.Errorf("left are %q", left)
			}
			if err := write(filepath.Join(dir, "none", "file"), nil); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("without a directory: %v", err)
			}
			if err := write(dir, nil); err == nil {
				t.Error("a directory was overwritten")
			}
		})
	}
}

// What a killed writer left is removed, also where it is longer than what is written.
func TestReplaceRemovesWhatWasLeft(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(filepath.Join(dir, ".file.tmp"), []byte("a secret, half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("whole")); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); len(left) != 1 || left[0] != "file" {
		t.Errorf("left are %q", left)
	}
}

func TestReplaceThatFailsLeavesTheOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.MkdirAll(filepath.Join(path, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new")); err == nil {
		t.Error("a directory was replaced")
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("left are %q", left)
	}
	if err := os.MkdirAll(filepath.Join(dir, ".file.tmp", "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new")); err == nil {
		t.Error("what cannot be removed was ignored")
	}
}

// What has not reached the disk does not count as written. Linux takes everything for
// /dev/null, and refuses to sync it.
func TestASyncThatFails(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere /dev/null may be synced")
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.Symlink(os.DevNull, path); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("x")); err == nil {
		t.Error("a write that was not synced has succeeded")
	}
}
