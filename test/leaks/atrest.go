package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vault-bootstrap/vault-bootstrap/test/leaks/needle"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// place is where secrets of a run may lie once it is over.
type place struct {
	name  string
	files []string
}

// atRest looks for the secrets of runs that encrypt their keys in what is left of the servers: etcd's
// files, and the audit logs with the bodies of requests. In both it must find those of a run that
// does not encrypt, or it would find nothing at all.
func atRest(notes, beds string) error {
	encrypted, err := secretsIn(filepath.Join(notes, testbed.NotedEncrypted))
	if err != nil || len(encrypted) == 0 {
		return err // no such run took place
	}
	clear, err := secretsIn(filepath.Join(notes, testbed.NotedClear))
	if err != nil {
		return err
	}
	etcd, logs, err := stored(beds)
	if err != nil {
		return err
	}
	hidden, open := needle.Of(encrypted), needle.Of(clear)
	var problems []error
	for _, where := range []place{{"etcd's files", etcd}, {"the API server's audit logs", logs}} {
		size, found, shown := 0, 0, 0
		for _, path := range where.files {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			size += len(content)
			hidden.Search(content, func(n needle.Needle, at int) {
				found++
				fmt.Printf("%s: a secret of an encrypted run (%s, %d characters) at byte %d\n", path, n.Form, n.Length, at)
			})
			open.Search(content, func(needle.Needle, int) { shown++ })
		}
		fmt.Printf("leaks: at rest, %s: %d found; looked for %d secrets of encrypted runs in %d files, %d bytes; of those of a run in clear %d were found\n", where.name, found, len(encrypted), len(where.files), size, shown)
		if found > 0 {
			problems = append(problems, fmt.Errorf("%d secrets of encrypted runs are in %s", found, where.name))
		}
		if len(clear) > 0 && shown == 0 {
			problems = append(problems, fmt.Errorf("not even the secrets of a run in clear are found in %s: the search is broken", where.name))
		}
	}
	return errors.Join(problems...)
}

// stored returns the files of every etcd below a directory, and the audit logs with bodies.
func stored(beds string) (etcd, logs []string, err error) {
	err = filepath.WalkDir(beds, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
		case entry.Name() == testbed.AuditBodiesFile:
			logs = append(logs, path)
		case entry.IsDir() && entry.Name() == "member": // of etcd, by its layout
			files, err := filesIn(path, "")
			if err != nil {
				return err
			}
			etcd = append(etcd, files...)
			return fs.SkipDir
		}
		return err
	})
	if os.IsNotExist(err) {
		err = nil
	}
	return etcd, logs, err
}
