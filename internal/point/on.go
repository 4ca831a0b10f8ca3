//go:build crashpoints && linux

package point

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

const (
	// Variable names the point at which to stop.
	Variable = "VAULT_BOOTSTRAP_STOP_AT"
	// RecordVariable, if not empty, makes Reach print every point that is passed.
	RecordVariable = "VAULT_BOOTSTRAP_SHOW_POINTS"
)

// Reach stops the whole process with SIGSTOP if name is the point to stop at, and prints that to
// standard error just before. Whoever set the variable waits for that line and then kills or
// continues the process.
func Reach(name string) {
	if os.Getenv(RecordVariable) != "" {
		fmt.Fprintf(os.Stderr, "passed %s\n", name)
	}
	if os.Getenv(Variable) != name {
		return
	}
	fmt.Fprintf(os.Stderr, "crashpoint %s\n", name)
	// To this very thread: a signal to the process may be handled by any thread, and this one would
	// run on until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGSTOP)
}
