package input

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Confirmation is the consent to what cannot be taken back.
type Confirmation struct {
	// Yes is whether it was given beforehand.
	Yes bool
}

// Confirm asks at the terminal whether to go on. Where the standard input is no terminal nobody is asked:
// a Job or a script has said what it wants by naming the verb.
func (s Source) Confirm(ctx context.Context, given Confirmation, consequence string) error {
	file, ok := s.terminal()
	if given.Yes || !ok {
		return nil
	}
	_, _ = fmt.Fprintf(s.Prompts, "%s\nOnly 'yes' goes on: ", consequence)
	answer, err := readLine(ctx, file, "the answer")
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return fault.Misuse(errors.New("it was not confirmed, and nothing was changed"), "Answer 'yes', or give --yes.")
	}
	return nil
}
