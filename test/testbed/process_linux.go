package testbed

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from reaching the server before whoever
// started it can stop it in order, and ends the server with its starter.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
