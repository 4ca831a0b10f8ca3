// Command leaks looks for secrets where none may be. It takes the notes of the
// suites, which hold every secret that was made and everything that programs under
// test have shown, and a directory of servers' logs.
package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: leaks NOTES BEDS [LOG...]")
		os.Exit(64)
	}
	if err := search(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "leaks:", err)
		os.Exit(1)
	}
}

// shortest is the length below which a text is too common to be looked for.
const shortest = 8

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
	size, found, needles := 0, 0, needlesOf(secrets)
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
		needles.search(content, func(n needle, at int) {
			found++
			fmt.Printf("%s: a secret (%s, %d characters) at byte %d: …%q\n", path, n.form, n.length, at, content[max(0, at-60):at])
		})
	}
	fmt.Printf("leaks: %d found; looked for %d secrets in %d outputs and %d logs, %d bytes\n", found, len(secrets), len(shown), len(logs), size)
	if found > 0 {
		return fmt.Errorf("%d secrets are shown", found)
	}
	return nil
}

// forms are the ways in which a secret could be shown.
func forms(secret string) map[string]string {
	all := map[string]string{
		"as it is": secret,
		"base64":   strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
		"hex":      hex.EncodeToString([]byte(secret)),
	}
	// Key shares are base64, and Vault takes them in hex, too.
	if raw, err := base64.StdEncoding.DecodeString(secret); err == nil && len(raw) >= shortest {
		all["hex of what it encodes"] = hex.EncodeToString(raw)
	}
	return all
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
			if len(secret) >= shortest && !seen[secret] {
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
