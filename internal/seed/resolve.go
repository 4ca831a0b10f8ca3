package seed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// Resolver gives references their values.
type Resolver struct {
	// Env looks an environment variable up. Only the command reads the
	// environment, so the seed is handed this function; nil knows none.
	Env func(name string) (value string, found bool)
}

// referenceLimit is how large a file that a reference names may be.
const referenceLimit = 1 << 20

// resolve returns data with every template replaced by a secret.Value. What came
// from outside counts as sensitive: the seed's author put it there, not here.
func (r Resolver) resolve(data map[string]any, problems *Problems) map[string]any {
	out := make(map[string]any, len(data))
	for name, value := range data {
		out[name] = r.value(value, problems)
	}
	return out
}

func (r Resolver) value(value any, problems *Problems) any {
	switch value := value.(type) {
	case template:
		text, err := r.text(value)
		if err != nil {
			problems.add(value.at, "%s", err)
		}
		return secret.New(text)
	case map[string]any:
		return r.resolve(value, problems)
	case []any:
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = r.value(item, problems)
		}
		return out
	default:
		return value
	}
}

// text returns what t stands for.
func (r Resolver) text(t template) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		switch p.call {
		case "":
			b.WriteString(p.text)
		case "env":
			value, found := "", false
			if r.Env != nil {
				value, found = r.Env(p.argument)
			}
			if !found {
				return "", fmt.Errorf("the environment variable %q is not set", p.argument)
			}
			b.WriteString(value)
		case "file":
			content, err := readReference(p.argument, t.at.File)
			if err != nil {
				return "", err
			}
			b.WriteString(content)
		}
	}
	return b.String(), nil
}

// readReference returns the content of the file at path, which is relative to the
// seed file that names it.
func readReference(path, seedFile string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(seedFile), path)
	}
	content, err := readFile(path, referenceLimit)
	if err == nil && !utf8.Valid(content) {
		err = errors.New("not UTF-8 text")
	}
	if err != nil {
		return "", fmt.Errorf("reading the referenced file %q: %w", path, err)
	}
	return string(content), nil
}

// readFile returns the content of a regular file of at most limit bytes. A pipe
// or device is refused: reading one could wait for ever.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, reason(err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return content, nil
}

// reason strips the path from a file error: our messages name it already.
func reason(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
