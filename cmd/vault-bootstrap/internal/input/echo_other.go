//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package input

import "errors"

// withoutEcho refuses: here a share would be shown.
func withoutEcho(int) (restore func() error, err error) {
	return nil, errors.New("on this system nothing can be typed without showing it")
}
