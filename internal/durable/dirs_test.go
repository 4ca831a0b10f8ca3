package durable

import (
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
	if synced, err := makeDirs(dir); err != nil || len(synced) > 0 || MakeDirs(dir) != nil {
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
