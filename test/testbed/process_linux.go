package testbed

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps a terminal's Ctrl-C from reaching the server before whoever
// started it can stop it in order, and ends the server with its starter.
func ownGroup(apart bool) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if apart {
		attributes.Cloneflags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET
	}
	return attributes
}

// mayBeApart says whether this process may start one in namespaces of its own.
func mayBeApart() error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = ownGroup(true)
	return cmd.Run()
}
