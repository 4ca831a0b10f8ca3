//go:build crashpoints && unix

package point

import (
	"fmt"
	"os"
	"syscall"
)

// Variable names the point at which to stop.
const Variable = "VAULT_BOOTSTRAP_STOP_AT"

// Reach stops the whole process with SIGSTOP if name is the point to stop at, and
// says so on standard error just before. Whoever set the variable waits for that
// line and then kills, or continues, the process.
func Reach(name string) {
	if os.Getenv(Variable) != name {
		return
	}
	fmt.Fprintf(os.Stderr, "crashpoint %s\n", name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
}
