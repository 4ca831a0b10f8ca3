package keyring_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/agekey"
	"github.com/vault-bootstrap/vault-bootstrap/internal/keyring/keyringtest"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// tool runs a program of age, and returns what it writes.
func tool(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	path, err := testbed.LookTool(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, &said)
	}
	return out
}

// TestAgeProgram has age's own program open what we wrap, and wrap what we open, with identities
// that age-keygen has made, classical and post-quantum.
func TestAgeProgram(t *testing.T) {
	t.Parallel()
	for _, kind := range [][]string{nil, {"-pq"}} {
		file := filepath.Join(t.TempDir(), "identity.txt")
		tool(t, nil, "age-keygen", append(kind, "-o", file)...)
		to := strings.TrimSpace(string(tool(t, nil, "age-keygen", "-y", file)))
		form, err := keyring.Parse("age:" + to)
		if err != nil {
			t.Fatal(err)
		}
		identities, err := agekey.ReadIdentities([]string{file}, nil)
		if err != nil {
			t.Fatal(err)
		}
		recipient, err := agekey.New(form, identities, nil)
		if err != nil {
			t.Fatal(err)
		}
		wrapped, _ := keyringtest.Wrap(t, recipient)
		bound, err := keyring.Bind(keyringtest.Key, keyringtest.About)
		if err != nil {
			t.Fatal(err)
		}
		if got := tool(t, wrapped, "age", "-d", "-i", file); string(got) != bound.Reveal() {
			t.Errorf("age opens our wrap to %d bytes, and not to the digest and the key", len(got))
		}
		keyringtest.Opens(t, recipient, tool(t, []byte(bound.Reveal()), "age", "-r", to))
	}
}
