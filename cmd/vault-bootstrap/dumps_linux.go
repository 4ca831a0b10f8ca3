package main

import "golang.org/x/sys/unix"

// forbidDumps keeps the memory of this process, which holds keys, out of core dumps, and out of
// reach of other processes of the same user. Errors are ignored: if the kernel refuses, nothing is
// worse than before.
func forbidDumps() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	// A core may go to a pipe (core_pattern), to which no limit applies.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
