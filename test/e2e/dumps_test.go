package e2e

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
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
	cmd := exec.Command(program, "wait", "--store=file:"+filepath.Join(dir, "none"), "--vault-addr=http://127.0.0.1:1", "--timeout=5m")
	cmd.Env = []string{"HOME=" + dir}
	if os.Getuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	says, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := io.ReadAtLeast(says, make([]byte, 1), 1); err != nil {
		t.Fatal(err)
	}
	proc := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid))
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
