package main

import (
	"errors"
	"os/exec"
	"strconv"
)

// exitText returns the exit code in err.
func exitText(err error) string {
	failed, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return err.Error()
	}
	return strconv.Itoa(failed.ExitCode())
}
