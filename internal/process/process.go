// Package process names processes so that another process on the same machine can find out whether
// they have ended. It must not know what they do.
package process

import "strings"

// Self returns a name for this process that no other has, on this machine or another; it is empty
// if the operating system does not provide one. verb is what the process does: it is the same after
// a restart of the container.
func Self(verb string) string {
	name := self()
	if name == "" {
		return ""
	}
	return name + "/" + verb
}

// Gone reports whether the process called name has ended. It reports false if that cannot be known
// from here: on another machine, or in another process namespace.
func Gone(name string) bool {
	machine, id, found := strings.Cut(name, "/")
	if !found {
		return false
	}
	pid, rest, found := strings.Cut(id, "/")
	if !found {
		return false
	}
	started, _, _ := strings.Cut(rest, "/")
	return machine != "" && machine == here() && !runs(pid, started)
}

// Verb returns what the process called name does.
func Verb(name string) string { return name[strings.LastIndex(name, "/")+1:] }
