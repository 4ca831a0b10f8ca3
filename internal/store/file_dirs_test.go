package store

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A directory exists after a power cut only if the one that it was made in was synced.
func TestMadeDirectoriesAreSynced(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "a", "b", "c")
	synced, err := makeDirs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{root, filepath.Join(root, "a"), filepath.Join(root, "a", "b")}; !slices.Equal(synced, want) {
		t.Errorf("synced were %q, want %q", synced, want)
	}
	for _, made := range []string{filepath.Join(root, "a"), dir} {
		if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", made, info, err)
		}
	}
	if synced, err := makeDirs(dir); err != nil || len(synced) > 0 {
		t.Errorf("with all there, synced were %q, %v", synced, err)
	}
	file := filepath.Join(root, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := makeDirs(filepath.Join(file, "below")); err == nil {
		t.Error("a directory below a file was made")
	}
	if _, err := makeDirs(file); err == nil {
		t.Error("a file passes for a directory")
	}
}

// The first write of a store makes its directories in that way.
func TestTheFirstWriteMakesTheDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	f, err := OpenFile(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.SaveKeys(context.Background(), Keys{Epoch: 1}, ""); err != nil {
		t.Fatal(err)
	}
	if keys, _, err := f.Keys(context.Background()); err != nil || keys.Epoch != 1 {
		t.Errorf("%+v, %v", keys, err)
	}
}
