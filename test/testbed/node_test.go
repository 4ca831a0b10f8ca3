package testbed_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// clusterFor skips the test, and says why, where no node can run.
func clusterFor(t *testing.T) *testbed.Cluster {
	t.Helper()
	if missing := testbed.NodeMissing(); missing != nil {
		t.Skip(missing)
	}
	return testbed.ClusterFor(t, testbed.ClusterOptions{})
}

const nodePods = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: server}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 1000, fsGroup: 2000, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: server
      image: example.test/shell:1
      command: [sh, -ec, "echo hello >/data/index.html; exec httpd -f -p 8000 -h /data"]
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      readinessProbe: {exec: {command: [wget, -qO-, "http://127.0.0.1:8000/"]}, periodSeconds: 1}
      volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: Service
metadata: {name: server}
spec: {selector: {app: server}, ports: [{port: 80, targetPort: 8000}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: client}
spec:
  template:
    spec:
      restartPolicy: OnFailure
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: client
          image: shell
          command: [sh, -ec, "wget -qO- http://server.$(cat /var/run/secrets/kubernetes.io/serviceaccount/namespace).svc/"]
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`

// TestNode runs a server with a volume behind a Service, and a Job that finds it.
func TestNode(t *testing.T) {
	c := clusterFor(t)
	busybox, err := c.Busybox()
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]string{}
	for _, each := range []string{"sh", "httpd", "wget", "cat"} {
		links["/bin/"+each] = "busybox"
	}
	image := testbed.Image{Files: map[string]string{"/bin/busybox": busybox}, Links: links, Env: map[string]string{"PATH": "/bin"}}
	for _, name := range []string{"example.test/shell:1", "shell"} {
		if err := c.PushImage(t.Context(), name, image); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.MakeNamespace(t.Context(), "pods"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Describe(context.Background(), "pods"))
		}
	})
	manifests := filepath.Join(t.TempDir(), "pods.yaml")
	if err := os.WriteFile(manifests, []byte(nodePods), 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl := func(args ...string) string {
		t.Helper()
		out, err := c.Kubectl(t.Context(), append([]string{"-n", "pods"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	began := time.Now()
	kubectl("apply", "-f", manifests)
	kubectl("wait", "--for=condition=Complete", "job/client", "--timeout=60s")
	t.Logf("the Job completed after %s", time.Since(began).Round(time.Millisecond))
	if got, want := kubectl("logs", "job/client"), "hello\n"; got != want {
		t.Errorf("the Job got %q, want %q", got, want)
	}
	if got, want := kubectl("exec", "server", "--", "cat", "/data/index.html"), "hello\n"; got != want {
		t.Errorf("the volume holds %q, want %q", got, want)
	}

	t.Run("a claim made anew is empty", func(t *testing.T) {
		kubectl("delete", "pod/server", "pvc/data", "job/client", "--grace-period=0", "--force", "--wait")
		kubectl("apply", "-f", manifests)
		kubectl("wait", "--for=condition=Ready", "pod/server", "--timeout=60s")
		volumes := kubectl("get", "pv", "-o=jsonpath={.items[*].metadata.name}")
		if fields := strings.Fields(volumes); len(fields) != 1 {
			t.Errorf("there are %d volumes: %s", len(fields), volumes)
		}
	})
	t.Run("what is not restricted is refused", func(t *testing.T) {
		_, err := c.Kubectl(t.Context(), "-n", "pods", "run", "root", "--image=shell", "--restart=Never")
		if err == nil || !strings.Contains(err.Error(), "restricted") {
			t.Errorf("got %v, want a violation of 'restricted'", err)
		}
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantNothingLeft(t)
}

// killedCluster is set for a copy of this test that is to be killed.
const killedCluster = "TESTBED_KILLED_CLUSTER"

// TestNodeAfterKill kills a bed while its node runs, and starts another one.
func TestNodeAfterKill(t *testing.T) {
	if os.Getenv(killedCluster) != "" {
		clusterFor(t)
		if err := os.WriteFile(os.Getenv(killedCluster), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		<-t.Context().Done() // never: it is killed
	}
	if missing := testbed.NodeMissing(); missing != nil {
		t.Skip(missing)
	}
	ready := filepath.Join(t.TempDir(), "ready")
	cmd := exec.Command(os.Args[0], "-test.run=^TestNodeAfterKill$")
	// A short path: the kubelet has a socket below it, and sockets' paths are short.
	dir, err := os.MkdirTemp("", "bed-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TESTBED_DIR", "") // which would make it long
	cmd.Env = append(os.Environ(), killedCluster+"="+ready)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err = testbed.Poll(t.Context(), 100*time.Millisecond, "the first cluster", func(context.Context) error {
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		default:
		}
		_, err := os.Stat(ready)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the killed bed ended by itself")
	}
	c := clusterFor(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantNothingLeft(t)
}

// wantNothingLeft looks at what a node shares with the machine.
func wantNothingLeft(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"/sys/class/net/vb-bed", "/sys/fs/cgroup/*/vault-bootstrap-bed", "/sys/fs/cgroup/vault-bootstrap-bed"} {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v (%v)", left, err)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, "/node/") && (strings.Contains(line, "kubelet") || strings.Contains(line, "containerd")) {
			t.Errorf("still mounted: %s", line)
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range processes {
		if path, err := os.Readlink(process); err == nil && (strings.HasSuffix(path, "/containerd-shim-runc-v2") || strings.HasSuffix(path, "/kubelet")) {
			t.Errorf("still running: %s", path)
		}
	}
}
