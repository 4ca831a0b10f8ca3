// Package input reads the secrets that operators give: key shares and tokens, from files that they
// name, from standard input, or typed at a terminal that does not show them. None of it is ever an
// argument or a variable.
package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Source is where operators' input comes from: files that they name, standard input, or their
// terminal.
type Source struct {
	Stdin   io.Reader
	Prompts io.Writer // questions are written there
}

// maxInput bounds what is read: a spooled answer of Vault with 255 shares for long keys fits.
const maxInput = 1 << 20

// Read reads a file, or standard input if it is called '-'.
func (s Source) Read(flag, name string) ([]byte, error) {
	from := s.Stdin
	switch name {
	case "":
		return nil, fault.Misuse(fmt.Errorf("%s names no file", flag), "Give a file, or - for standard input.")
	case "-":
	default:
		file, err := os.Open(name)
		if err != nil {
			return nil, fault.Misuse(fmt.Errorf("reading the file that %s names: %w", flag, err), "Give a file that can be read, or - for standard input.")
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, maxInput))
	if err != nil {
		return nil, fault.Misuse(fmt.Errorf("reading the file that %s names: %w", flag, err), "Give a file that can be read, or - for standard input.")
	}
	return text, nil
}

// Directory reads the files of a directory whose names are wanted.
func (s Source) Directory(flag, name string, wanted func(file string) bool) (map[string][]byte, error) {
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, fault.Misuse(fmt.Errorf("reading the directory that %s names: %w", flag, err), "Give a directory that can be read.")
	}
	found := map[string][]byte{}
	for _, entry := range entries {
		if entry.IsDir() || !wanted(entry.Name()) {
			continue
		}
		if found[entry.Name()], err = s.Read(flag, filepath.Join(name, entry.Name())); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Token reads a token from a file; it returns an empty one if no file is named.
func (s Source) Token(file string) (secret.Value, error) {
	if file == "" {
		return secret.Value{}, nil
	}
	text, err := s.Read("--token-file", file)
	if err != nil {
		return secret.Value{}, err
	}
	token := secret.New(strings.TrimSpace(string(text)))
	if token.Empty() {
		return token, fault.Misuse(errors.New("the file that --token-file names is empty"), "It must hold a token.")
	}
	return token, nil
}

// Ask returns the line that a person types in answer to a question, which is shown as it is typed. Away
// from a terminal it fails with the remedy.
func (s Source) Ask(ctx context.Context, question, remedy string) (string, error) {
	file, ok := s.terminal()
	if !ok {
		return "", fault.Misuse(errors.New("nobody can be asked: standard input is not a terminal"), remedy)
	}
	_, _ = fmt.Fprint(s.Prompts, question)
	line, err := readLine(ctx, file, "an answer")
	return strings.TrimSpace(line), err
}
