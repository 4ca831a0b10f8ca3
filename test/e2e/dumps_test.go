package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// TestNoCoreDumps looks at what the kernel says of the program at work, as a user that is
// not root: what cannot be dumped belongs to root in /proc (proc(5)).
func TestNoCoreDumps(t *testing.T) {
	dir, err := os.MkdirTemp("", "no-core-dumps")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program := filepath.Join(dir, "vault-bootstrap")
	content, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// It says that Vault does not answer, once it is at work.
	command := driver.Command{
		Binary: program, Home: dir,
		Args: []string{"wait", "--store=file:" + filepath.Join(dir, "none"), "--vault-addr=http://127.0.0.1:1", "--timeout=5m"},
	}
	if os.Getuid() == 0 {
		const nobody = 65534
		command.Attributes = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	run := driver.StartFor(t, command)
	run.Says("\n", 1)
	proc := filepath.Join("/proc", strconv.Itoa(run.PID()))
	limits := read(t, filepath.Join(proc, "limits"))
	if _, rest, _ := strings.Cut(limits, "Max core file size"); len(strings.Fields(rest)) < 2 || strings.Join(strings.Fields(rest)[:2], " ") != "0 0" {
		t.Errorf("the limits are\n%s", limits)
	}
	info, err := os.Stat(filepath.Join(proc, "environ"))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
		t.Errorf("its environment belongs to %d: it can be dumped", owner)
	}
}
