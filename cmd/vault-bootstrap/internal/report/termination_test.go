package report

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
)

func TestTerminationMessage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "termination-log")
	leave := func(text string) string {
		t.Helper()
		if err := WriteTermination(path, text); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(content)
	}
	hold := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	leave("x")
	if fileExists(path) {
		t.Error("a file was created where no container has one")
	}
	hold(nil)
	failure := fault.Stop("keys lost", errors.New("gone"), "Start over.")
	if got := leave(Ending(fsm.Outcome{}, Changes{}, failure)); got != "exit code 70, terminal: keys lost: gone\nStart over.\n" {
		t.Errorf("the message is %q", got)
	}
	if got := leave(Ending(fsm.Outcome{State: fsm.Hardened}, Changes{}, nil)); got != "Vault is hardened. Nothing was left to do.\n" {
		t.Errorf("the message is %q", got)
	}
	if got := leave(strings.Repeat("ä", spool.TerminationLimit)); len(got) > spool.TerminationLimit || !strings.HasSuffix(got, "ä …") {
		t.Errorf("a long message has %d bytes and ends in %q", len(got), got[len(got)-10:])
	}

	entry, err := spool.Entry{Attempt: "a", Shares: []string{"share"}, Root: "root"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	hold(entry)
	if got := leave("x"); got != string(entry) {
		t.Errorf("the only copy of the keys was overwritten: %q", got)
	}
	hold(entry[:len(entry)-4])
	if got := leave("x"); got != string(entry[:len(entry)-4]) {
		t.Errorf("a truncated copy of the keys was overwritten: %q", got)
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
