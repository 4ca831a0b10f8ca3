package watch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
)

// fingerprint returns a hash that changes when the files of a seed do. It reads them: the kubelet
// swaps a ConfigMap by a symbolic link, which not every file system reports to a file watcher.
// Files that cannot be read are a part of it, too.
func fingerprint(paths []string) string {
	sum := sha256.New()
	var read func(path string, depth int)
	read = func(path string, depth int) {
		info, err := os.Stat(path)
		if err != nil {
			_, _ = fmt.Fprintf(sum, "%q: missing\n", path)
			return
		}
		if !info.IsDir() {
			file, err := os.Open(path)
			if err != nil {
				_, _ = fmt.Fprintf(sum, "%q: unreadable\n", path)
				return
			}
			defer func() { _ = file.Close() }()
			size, _ := io.Copy(sum, io.LimitReader(file, seed.SizeLimit))
			_, _ = fmt.Fprintf(sum, "%q: %d\n", path, size)
			return
		}
		if depth == 0 {
			return
		}
		entries, _ := os.ReadDir(path)
		for _, entry := range entries {
			read(filepath.Join(path, entry.Name()), depth-1)
		}
	}
	for _, path := range paths {
		read(path, 2) // a directory, and its 'policies'
	}
	return hex.EncodeToString(sum.Sum(nil))
}
