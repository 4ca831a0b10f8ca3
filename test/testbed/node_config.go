package testbed

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// NodeName is the name of a cluster's node.
const NodeName = "bed"

const (
	// linkName is the machine's end of the cable to the node.
	linkName = "vb-bed"
	// cgroupName is the control group that all containers are below.
	cgroupName = "vault-bootstrap-bed"
	cniPlugins = "/usr/lib/cni"

	hostIP          = "10.245.255.1"
	nodeIP          = "10.245.255.2"
	podRange        = "10.245.0.0/17"
	dnsIP           = "10.96.0.10"
	registryAddress = nodeIP + ":5000"
	pauseImage      = "bed/pause:latest"
)

//go:embed node.sh
var nodeScript []byte

// configureNode writes the configuration of the node's servers.
func (c *Cluster) configureNode() error {
	outside := fmt.Sprintf("/proc/%d/ns/net", os.Getpid())
	files := map[string]string{
		"node.env": fmt.Sprintf("tools=%q\noutside=%q\nlink=%s\nhost_ip=%s\nnode_ip=%s\npods=%s\nservices=%s\ncgroup=%s\nnode=%s\n",
			c.tools, outside, linkName, hostIP, nodeIP, podRange, serviceRange, cgroupName, NodeName),
		"containerd.toml":                containerdConfig(c.dir),
		"registries/_default/hosts.toml": mirrorConfig,
		"cni/10-bed.conflist":            cniConfig,
		"resolv.conf":                    "",
		"kubelet.yaml":                   kubeletConfig(c.dir, c.CAFile),
	}
	for name, content := range files {
		path := filepath.Join(c.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	for name, user := range map[string][]string{
		"kubelet":    {"system:node:" + NodeName, "system:nodes"},
		"kube-proxy": {"system:kube-proxy"},
	} {
		access, err := c.clientCertificate(user[0], user[1:]...)
		if err != nil {
			return err
		}
		// The node is on another network: it comes by the cable.
		access.Host = strings.Replace(access.Host, "127.0.0.1", hostIP, 1)
		if err := c.writeKubeconfig(filepath.Join(c.dir, name+".kubeconfig"), access, ""); err != nil {
			return err
		}
	}
	return nil
}

// containerdConfig is for containerd 2. Images of any name are looked for in the
// node's own registry, and nowhere else.
func containerdConfig(dir string) string {
	return fmt.Sprintf(`version = 3
root = %[1]q
state = "/run/containerd"

[grpc]
address = "/run/containerd/containerd.sock"

[plugins.'io.containerd.cri.v1.images']
snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = %[2]q
[plugins.'io.containerd.cri.v1.images'.registry]
config_path = %[3]q

[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = [%[4]q]
conf_dir = %[5]q
[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = "runc"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
`, filepath.Join(dir, "containerd"), "docker.io/"+pauseImage, filepath.Join(dir, "registries"), cniPlugins, filepath.Join(dir, "cni"))
}

const mirrorConfig = `server = "http://127.0.0.1:5000"
[host."http://127.0.0.1:5000"]
capabilities = ["pull", "resolve"]
`

// cniConfig gives each pod an address on a bridge. Nothing leads out of the bed.
const cniConfig = `{
  "cniVersion": "1.0.0",
  "name": "bed",
  "plugins": [{
    "type": "bridge",
    "bridge": "pods",
    "isGateway": true,
    "hairpinMode": true,
    "ipam": {
      "type": "host-local",
      "ranges": [[{"subnet": "` + podRange + `"}]],
      "routes": [{"dst": "0.0.0.0/0"}]
    }
  }]
}
`

// kubeletConfig is for a machine with control groups of either kind, whose other
// processes are none of the kubelet's business.
func kubeletConfig(dir, ca string) string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
failSwapOn: false
evictionHard: {memory.available: 50Mi, nodefs.available: 1%%, imagefs.available: 1%%, nodefs.inodesFree: 1%%}
imageGCHighThresholdPercent: 100
clusterDNS: [%[1]s]
clusterDomain: cluster.local
resolvConf: %[2]q
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
podLogsDir: %[3]q
serializeImagePulls: false
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %[4]q}}
authorization: {mode: Webhook}
`, dnsIP, filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "pods"), ca)
}
