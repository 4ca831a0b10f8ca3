package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// fingerprint returns what changes when the files of a seed do. It reads them: the
// kubelet swaps a ConfigMap by a symbolic link, which changes no time that a watcher
// of files would be told of on every file system. What cannot be read is a part of it, too.
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
			size, _ := io.Copy(sum, io.LimitReader(file, mostSeed))
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

// reassign gives the bootstrap a wish that was read anew. If that fails, the one before it
// stays, with its login. A session of a login that the seed no longer names ends.
func (j *job) reassign(ctx context.Context, w wish) error {
	b := j.bootstrap
	if sameLogin(w.login, j.declaredLogin) {
		return w.assign(b)
	}
	login, err := j.resolveLogin(w.login)
	if err != nil {
		return err
	}
	before, fromSeed := b.Login, b.SeedLogin
	b.Login, b.SeedLogin = login, j.options.login.declaredBy(w.login)
	if err := w.assign(b); err != nil {
		b.Login, b.SeedLogin = before, fromSeed
		return err
	}
	j.declaredLogin = w.login
	b.ForgetLogin(context.WithoutCancel(ctx))
	b.Log.Info("the seed says anew how to log in", "method", login.Name())
	return nil
}

// sameLogin compares what two seeds say, wherever in the files they do.
func sameLogin(a, b []seed.LoginMethod) bool {
	return slices.EqualFunc(a, b, func(x, y seed.LoginMethod) bool {
		x.Position, y.Position = value.Position{}, value.Position{}
		return x == y
	})
}

// mostSeed bounds what is read of each file.
const mostSeed = 10 << 20
