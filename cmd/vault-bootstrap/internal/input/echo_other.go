//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package input

import "errors"

// withoutEcho fails: a share would be shown on this system.
func withoutEcho(int) (restore func() error, err error) {
	return nil, errors.New("on this system the terminal cannot hide what is typed")
}
