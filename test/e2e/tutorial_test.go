package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// tutorialStep is a block of commands in docs/tutorial.md that is run here.
var tutorialStep = regexp.MustCompile("(?s)<!-- tutorial -->\n```sh\n(.*?)```")

// TestTutorial types what docs/tutorial.md prints, the building of the program aside, and looks
// for what it says that one sees. Only the port is another one, since others may use that of Vault.
func TestTutorial(t *testing.T) {
	t.Parallel()
	server, err := testbed.LookServer()
	if err != nil {
		t.Fatal(err)
	}
	if server.Product != testbed.Vault {
		testbed.NotApplicable(t, "the tutorial starts a Vault")
	}
	root, err := driver.Repository()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
	for _, step := range tutorialStep.FindAllSubmatch(page, -1) {
		script += string(step[1])
	}
	script = strings.ReplaceAll(script, "127.0.0.1:8200", freeAddress(t))

	dir := t.TempDir()
	for name, target := range map[string]string{"vault": server.Binary, "vault-bootstrap": binary} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-emc", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "PATH="+dir+":"+os.Getenv("PATH"))
	printed, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "first-vault", "server.log"))
		t.Fatalf("%v\n%s\n%s", err, printed, log)
	}
	rest := string(printed)
	for _, want := range []string{
		`"did":["initialize","unseal","seed","harden"]`, "hardened", "root token  none", // the first run
		`"did":[]`, "0 to create, 1 to update", `"did":["drift","seed"]`, // the next ones
		`"did":["seal","unseal"]`, "tls-listeners", "keys-encrypted", "mlock", "3 required controls of the profile",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q is not printed where the tutorial has it:\n%s", want, printed)
		}
		rest = after
	}
	if _, err := os.Stat(filepath.Join(dir, "first-vault")); !os.IsNotExist(err) {
		t.Errorf("the tutorial leaves its directory behind (%v)", err)
	}
}

// freeAddress returns a free address on loopback, of the ports from which the test bed takes its
// own: the kernel gives them to nobody.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000)))
		if err != nil {
			continue
		}
		defer func() { _ = listener.Close() }()
		return listener.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}
