package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// applied returns the text of the fault's file with the fault in it.
func (f fault) applied(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, f.File))
	if err != nil {
		return "", err
	}
	// More than once, and it would not be said which one is meant; not at all, and the
	// code has changed: the fault has to follow it.
	if n := strings.Count(string(text), f.Old); n != 1 {
		return "", fmt.Errorf("%q: %s holds %q %d times, not once", f.Name, f.File, f.Old, n)
	}
	return strings.Replace(string(text), f.Old, f.New, 1), nil
}

// overlaid writes the fault's file beside the repository, and the JSON that has the go
// command read it in the place of the real one. done removes both.
func overlaid(root string, f fault) (overlay string, done func() error, err error) {
	text, err := f.applied(root)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "vault-bootstrap-mutate-")
	if err != nil {
		return "", nil, err
	}
	done = func() error { return os.RemoveAll(dir) }
	overlay, file := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "fault.go")
	replaced, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, f.File): file}})
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	if err == nil {
		err = os.WriteFile(overlay, replaced, 0o600)
	}
	if err != nil {
		_ = done()
		return "", nil, err
	}
	return overlay, done, nil
}
