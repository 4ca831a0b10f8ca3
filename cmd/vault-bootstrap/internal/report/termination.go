package report

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
)

// longestMessage stays below what the kubelet keeps of a termination message, and is short enough
// to read in 'kubectl describe'.
const longestMessage = 2000

// WriteTermination makes text the container's termination message, which 'kubectl describe pod'
// shows. If the file does not exist, we are not in a container; one that holds Vault's answer to
// sys/init is left as it is, since it may be the only copy.
func WriteTermination(path, text string) error {
	found, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the termination message: %w", err)
	}
	if _, err := spool.Find(found); !errors.Is(err, spool.ErrNone) {
		return nil
	}
	if len(text) > longestMessage {
		text = strings.ToValidUTF8(text[:longestMessage], "") + " …"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing the termination message: %w", err)
	}
	return nil
}

// Ending describes in a few lines how a run has ended, and what it has changed.
func Ending(outcome fsm.Outcome, changes Changes, failure error) string {
	text := whatIs(outcome, changes) + "\n"
	if failure != nil {
		text = fmt.Sprintf("exit code %d, %s: %v\n%s\n", ExitCode(failure), fault.KindOf(failure), failure, fault.RemedyOf(failure))
	}
	if changed := changes.String(); changed != "" {
		text += sentence(changed) + "\n"
	}
	return text
}
