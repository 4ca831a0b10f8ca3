package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// NodeMissing says why this machine cannot run a node, or nil.
func NodeMissing() error {
	missing := append(missingRights(), missingFiles()...)
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("no node on this machine, it lacks: %s (test/node-setup and test/tools/build get what can be had)", strings.Join(missing, ", "))
}

func missingRights() []string {
	if os.Geteuid() != 0 {
		return []string{"root"}
	}
	var missing []string
	if err := mayBeApart(); err != nil {
		missing = append(missing, fmt.Sprintf("namespaces (%v)", err))
	}
	groups := []string{""}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		// The old kind has a hierarchy for each controller.
		groups = []string{"cpu", "cpuset", "memory", "pids", "devices", "freezer"}
	}
	for _, each := range groups {
		path := filepath.Join("/sys/fs/cgroup", each)
		if _, err := os.Stat(filepath.Join(path, "cgroup.procs")); err != nil {
			missing = append(missing, "the control group "+path)
		} else if err := syscall.Access(path, 2); errors.Is(err, syscall.EROFS) {
			missing = append(missing, "writing to the control group "+path)
		}
	}
	filesystems, err := os.ReadFile("/proc/filesystems")
	if err != nil || !strings.Contains(string(filesystems), "\toverlay\n") {
		missing = append(missing, "overlayfs")
	}
	return missing
}

func missingFiles() []string {
	var missing []string
	for _, path := range []string{
		"/usr/sbin/runc", cniPlugins + "/bridge", cniPlugins + "/host-local", cniPlugins + "/loopback",
		"/usr/sbin/iptables", "/usr/sbin/ip", "/usr/bin/nsenter", "/bin/bash",
	} {
		if _, err := os.Stat(path); err != nil {
			missing = append(missing, path)
		}
	}
	tools, err := ToolsPath()
	if err != nil {
		return append(missing, err.Error())
	}
	for _, each := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "containerd", "crane", "coredns", "helm"} {
		if _, err := lookIn(tools, each); err != nil {
			missing = append(missing, "the tool "+each)
		}
	}
	return missing
}
