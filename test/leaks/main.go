// Command leaks looks for secrets where none may be. It takes the notes of the
// suites, which hold every secret that was made and everything that programs under
// test have shown, and a directory of servers' logs. Secrets of runs that encrypt
// their keys must not be in what those servers have stored, either.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/leaks/needle"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: leaks NOTES BEDS [LOG...]")
		os.Exit(64)
	}
	if err := errors.Join(search(os.Args[1], os.Args[2], os.Args[3:]), atRest(os.Args[1], os.Args[2])); err != nil {
		fmt.Fprintln(os.Stderr, "leaks:", err)
		os.Exit(1)
	}
}

// serviceToken is the form of every token that Vault makes: one in an output is a
// leak, also if no suite has noted it.
var serviceToken = regexp.MustCompile(`\b(hvs|hvb)\.[A-Za-z0-9_-]{24,}`)

func search(notes, beds string, outputs []string) error {
	secrets, err := secretsIn(filepath.Join(notes, testbed.NotedSecrets))
	if err != nil {
		return err
	}
	shown, err := filesIn(filepath.Join(notes, testbed.NotedOutput), "")
	if err != nil {
		return err
	}
	logs, err := filesIn(beds, ".log")
	if err != nil {
		return err
	}
	if len(secrets) == 0 || len(shown) == 0 || len(logs) == 0 {
		return fmt.Errorf("nothing to compare: %d secrets, %d outputs, %d logs; did the suites run?", len(secrets), len(shown), len(logs))
	}
	size, found, needles := 0, 0, needle.Of(secrets)
	for _, path := range slices.Concat(shown, logs, outputs) {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		size += len(content)
		if at := serviceToken.FindIndex(content); at != nil {
			found++
			fmt.Printf("%s: a token of Vault's at byte %d\n", path, at[0])
		}
		needles.Search(content, func(n needle.Needle, at int) {
			found++
			fmt.Printf("%s: a secret (%s, %d characters) at byte %d: …%q\n", path, n.Form, n.Length, at, content[max(0, at-60):at])
		})
	}
	fmt.Printf("leaks: %d found; looked for %d secrets in %d outputs and %d logs, %d bytes\n", found, len(secrets), len(shown), len(logs), size)
	if found > 0 {
		return fmt.Errorf("%d secrets are shown", found)
	}
	return nil
}

func secretsIn(dir string) ([]string, error) {
	paths, err := filesIn(dir, "")
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var secrets []string
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(content)) {
			secret := strings.TrimSpace(line)
			if len(secret) >= needle.Shortest && !seen[secret] {
				seen[secret] = true
				secrets = append(secrets, secret)
			}
		}
	}
	return secrets, nil
}

func filesIn(dir, ending string) ([]string, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.HasSuffix(path, ending) {
			paths = append(paths, path)
		}
		return err
	})
	if os.IsNotExist(err) {
		return nil, nil
	}
	return paths, err
}
