//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package main

// forbidDumps does nothing: this system writes no core dumps, or controls them in another way.
func forbidDumps() {}
