//go:build !linux

package testbed

import (
	"errors"
	"syscall"
)

// ownGroup keeps a terminal's Ctrl-C from reaching the server before whoever
// started it can stop it in order.
func ownGroup(bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// mayBeApart says whether this process may start one in namespaces of its own.
func mayBeApart() error { return errors.New("there are none on this system") }
