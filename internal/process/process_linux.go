package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// here names this boot of the machine and our PID namespace in it.
func here() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "." + strings.Trim(strings.TrimPrefix(namespace, "pid:"), "[]")
}

func self() string {
	machine := here()
	started, err := startOf(strconv.Itoa(os.Getpid()))
	if machine == "" || err != nil {
		return ""
	}
	return fmt.Sprintf("%s/%d/%s", machine, os.Getpid(), started)
}

// runs reports whether the process with this ID and start time is running. If that cannot be read,
// it counts as running.
func runs(pid, started string) bool {
	if _, err := strconv.Atoi(pid); err != nil {
		return true
	}
	now, err := startOf(pid)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return err != nil || now == started
}

// The fields of /proc/PID/stat that follow the name in parentheses (proc_pid_stat(5)).
const (
	fieldState   = 0
	fieldStarted = 19
)

var errEnded = fmt.Errorf("it has ended: %w", fs.ErrNotExist)

// startOf returns when a process was started, in ticks since boot. A zombie counts as ended.
func startOf(pid string) (string, error) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return "", err
	}
	// The name may contain anything, including spaces and parentheses.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) <= fieldStarted {
		return "", errors.New("/proc/PID/stat is shorter than expected")
	}
	if fields[fieldState] == "Z" || fields[fieldState] == "X" {
		return "", errEnded
	}
	return fields[fieldStarted], nil
}
