//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package input

import "golang.org/x/sys/unix"

// withoutEcho makes a terminal hide what is typed until restore is called. Input stays line by
// line, and signals work.
func withoutEcho(fd int) (restore func() error, err error) {
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, setTermios, &quiet); err != nil {
		return nil, err
	}
	return func() error { return unix.IoctlSetTermios(fd, setTermios, before) }, nil
}
