package main

import "golang.org/x/sys/unix"

// forbidDumps keeps the memory of this process, in which keys are, out of core dumps, and
// from other processes of the same user. It fails nowhere where it matters: where the
// kernel refuses, nothing is worse than before.
func forbidDumps() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	// A core may go to a pipe (core_pattern), which no limit keeps it from.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
