//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package main

// forbidDumps does nothing: this system dumps no core, or has another way.
func forbidDumps() {}
