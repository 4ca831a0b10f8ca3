package testbed

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// holdPort binds an address without listening on it, and returns what lets go of it: connections are
// refused meanwhile, and nobody else gets the port.
func holdPort(address string) (release func() error, err error) {
	resolved, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("making a socket: %w", err)
	}
	syscall.CloseOnExec(socket)
	at := &syscall.SockaddrInet4{Port: resolved.Port}
	copy(at.Addr[:], resolved.IP.To4())
	// As with net.Listen, connections that have just ended do not keep the port.
	err = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(socket, at)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("binding %s: %w", address, err), syscall.Close(socket))
	}
	return func() error { return syscall.Close(socket) }, nil
}
