package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// SharesOptions say where the key shares of operators come from.
type SharesOptions struct {
	File string
	// Flag is the one that names the file, for messages.
	Flag string
}

// AskShares returns how to get shares from operators: from the file, or at the terminal without
// showing them. None is ever an argument, which other processes can see.
func (s Source) AskShares(options *SharesOptions) ceremony.AskShares {
	return func(ctx context.Context, need ceremony.ShareNeed) ([]secret.Value, error) {
		// What an operator types for --shares-file=- must not be shown either.
		if _, ok := s.terminal(); options.File == "" || options.File == "-" && ok {
			return s.askAtTerminal(ctx, options.Flag, need)
		}
		text, err := s.Read(options.Flag, options.File)
		if err != nil {
			return nil, err
		}
		return enough(text, need)
	}
}

// enough reads shares, and refuses those that cannot be the needed ones.
func enough(text []byte, need ceremony.ShareNeed) ([]secret.Value, error) {
	material, err := shares.Read(text)
	if err != nil {
		return nil, fault.Misuse(fmt.Errorf("reading the %s: %w", need.What, err), "Give a share on each line, decrypted, in base64 or in hex.")
	}
	found, err := material.For(len(material.Recovery) > 0, need.Count)
	if err != nil {
		return nil, fault.Misuse(fmt.Errorf("the given shares cannot be the %s: %w", need.What, err), "Give each share once, and all of one set.")
	}
	return found[:need.Count], nil
}

// terminal returns the standard input if it is a terminal.
func (s Source) terminal() (*os.File, bool) {
	file, ok := s.Stdin.(*os.File)
	return file, ok && term.IsTerminal(int(file.Fd()))
}

// askAtTerminal asks for one share after another.
func (s Source) askAtTerminal(ctx context.Context, flag string, need ceremony.ShareNeed) ([]secret.Value, error) {
	file, ok := s.terminal()
	if !ok {
		return nil, fault.Misuse(fmt.Errorf("%d %s are needed, held by %s", need.Count, need.What, owners(need)), "Give them with "+flag+" (- for standard input), or run at a terminal to be asked.")
	}
	// Hidden before anything is asked for, and until all shares are there: a second line may
	// already arrive while the first one is read.
	restore, err := withoutEcho(int(file.Fd()))
	if err != nil {
		return nil, fault.Misuse(fmt.Errorf("hiding what is typed: %w", err), "Give the "+need.What+" with "+flag+".")
	}
	defer func() { _ = restore() }()
	_, _ = fmt.Fprintf(s.Prompts, "%d %s are needed, held by %s. Input is not shown.\n", need.Count, need.What, owners(need))
	var lines []string
	for i := range need.Count {
		_, _ = fmt.Fprintf(s.Prompts, "share %d of %d: ", i+1, need.Count)
		line, err := readLine(ctx, file, "a share")
		_, _ = fmt.Fprintln(s.Prompts)
		if err != nil {
			return nil, err
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return enough([]byte(strings.Join(lines, "\n")), need)
}

// longestLine is the longest line that a terminal accepts.
const longestLine = 4096

// readLine reads one line from a terminal, and nothing after it: that is for the command that may
// follow. A signal ends it. what is read is for messages.
func readLine(ctx context.Context, file *os.File, what string) (string, error) {
	type answer struct {
		text string
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line := make([]byte, longestLine)
		n, err := file.Read(line)
		typed <- answer{string(line[:n]), err}
	}()
	select {
	case got := <-typed:
		if errors.Is(got.err, io.EOF) {
			return "", fault.Misuse(fmt.Errorf("reading %s: the input has ended", what), "Type what is asked for.")
		}
		if got.err != nil {
			return "", fmt.Errorf("reading %s: %w", what, got.err)
		}
		return got.text, nil
	case <-ctx.Done():
		return "", fmt.Errorf("reading %s: %w", what, context.Cause(ctx))
	}
}

func owners(need ceremony.ShareNeed) string {
	if len(need.Owners) == 0 {
		return "operators"
	}
	return strings.Join(need.Owners, ", ")
}
