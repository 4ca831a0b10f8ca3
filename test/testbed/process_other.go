//go:build !linux

package testbed

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from reaching the server before whoever
// started it can stop it in order.
func ownGroup(bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
