package durable

import (
	"os"
	"path/filepath"
)

// MakeDirs creates dir and its missing parents, for their owner only. Each directory in which
// another was created is synced, topmost first: otherwise a power cut could remove the directory
// together with the files in it.
func MakeDirs(dir string) error {
	_, err := makeDirs(dir)
	return err
}

// makeDirs returns the directories that it has synced.
func makeDirs(dir string) (synced []string, err error) {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil, nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if synced, err = makeDirs(parent); err != nil {
			return synced, err
		}
	}
	if err := os.Mkdir(dir, dirMode); err != nil {
		// Somebody else may have created it meanwhile, and not synced it yet.
		if info, found := os.Stat(dir); found != nil || !info.IsDir() {
			return synced, err
		}
	}
	if err := syncDir(parent); err != nil {
		return synced, err
	}
	return append(synced, parent), nil
}
