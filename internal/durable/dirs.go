package durable

import (
	"os"
	"path/filepath"
)

// MakeDirs makes dir and its parents as far as they are not there, for their owner only.
// Each one in which another was made is synced, topmost first: else a power cut could
// take away the directory together with the files in it.
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
		// Somebody else may have made it meanwhile, and not synced it yet.
		if info, found := os.Stat(dir); found != nil || !info.IsDir() {
			return synced, err
		}
	}
	if err := syncDir(parent); err != nil {
		return synced, err
	}
	return append(synced, parent), nil
}
