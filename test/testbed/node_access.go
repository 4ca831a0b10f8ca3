package testbed

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterFor starts a cluster that ends with the test.
func ClusterFor(t TB, o ClusterOptions) *Cluster {
	t.Helper()
	if o.Dir == "" {
		o.Dir = WorkDirFor(t, "cluster")
	}
	begin := time.Now()
	c, err := StartCluster(t.Context(), o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Logf("cluster started in %s", time.Since(begin).Round(time.Millisecond))
	closeWith(t, c.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", c.nodeLogs())
		}
	})
	return c
}

// Helm runs helm as the administrator and returns what it printed; its error output
// is in the error.
func (c *Cluster) Helm(ctx context.Context, args ...string) (string, error) {
	helm, err := lookIn(c.tools, "helm")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, helm, args...)
	cmd.Env = []string{"PATH=" + c.tools + ":" + os.Getenv("PATH"), "HOME=" + c.Dir, "KUBECONFIG=" + c.AdminKubeconfig}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("running helm %q: %w: %s", args, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

// Shell runs a line of shell as the administrator, with the tools on PATH, in dir:
// what a person would have typed. It returns all that was printed.
func (c *Cluster) Shell(ctx context.Context, dir, line string) (string, error) {
	cmd := exec.CommandContext(ctx, "/bin/bash", "-euo", "pipefail", "-c", line)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + c.tools + ":" + os.Getenv("PATH"), "HOME=" + c.Dir, "KUBECONFIG=" + c.AdminKubeconfig}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("running %q: %w: %s", line, err, bytes.TrimSpace(out))
	}
	return string(out), nil
}

// MakeNamespace makes a namespace in which only pods of the level 'restricted' are
// admitted.
func (c *Cluster) MakeNamespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted",
		"pod-security.kubernetes.io/warn":    "restricted",
	}}}
	if _, err := c.Client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("making the namespace %q: %w", name, err)
	}
	return Poll(ctx, pollInterval, "the namespace's service account", func(ctx context.Context) error {
		_, err := c.Client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// ProxyForPods starts a proxy between pods and the API server, whose certificate is valid for the
// proxy's address. It does not run in the cluster, and whoever starts it closes it.
func (c *Cluster) ProxyForPods() (*Proxy, error) {
	if c.Attached {
		return nil, errAttached
	}
	api, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	return startProxy(hostIP, api.Host)
}

// PodLogs returns what every container of a namespace's pods has printed, also in a
// life before its present one.
func (c *Cluster) PodLogs(ctx context.Context, namespace string) (string, error) {
	pods, err := c.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("listing the pods of %q: %w", namespace, err)
	}
	var b strings.Builder
	for _, pod := range pods.Items {
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			for _, previous := range []bool{true, false} {
				if previous && status.RestartCount == 0 || !previous && status.ContainerID == "" {
					continue
				}
				fmt.Fprintf(&b, "--- %s %s (previous: %v)\n", pod.Name, status.Name, previous)
				o := &corev1.PodLogOptions{Container: status.Name, Previous: previous}
				text, err := c.Client.CoreV1().Pods(namespace).GetLogs(pod.Name, o).DoRaw(ctx)
				if err != nil {
					fmt.Fprintf(&b, "(%v)\n", err)
				}
				b.Write(text)
			}
		}
	}
	return b.String(), nil
}

// Describe returns what a person would look at to learn why a namespace is not as
// it should be: its objects, its events, and the last lines of its pods.
func (c *Cluster) Describe(ctx context.Context, namespace string) string {
	var b strings.Builder
	for _, args := range [][]string{
		{"get", "all,pvc,leases", "-o=wide"},
		{"get", "events", "--sort-by=.metadata.creationTimestamp", "-o=custom-columns=TIME:.metadata.creationTimestamp,OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message"},
	} {
		out, err := c.Kubectl(ctx, append(args, "-n", namespace)...)
		if err != nil {
			out += err.Error()
		}
		b.WriteString(out + "\n")
	}
	logs, err := c.PodLogs(ctx, namespace)
	if err != nil {
		logs += err.Error()
	}
	for _, each := range strings.Split(logs, "--- ")[1:] {
		head, text, _ := strings.Cut(each, "\n")
		b.WriteString("--- " + head + "\n" + lastLines(text, 2*logLines) + "\n")
	}
	return b.String()
}

// Busybox returns the path of a static binary with a shell and its like, for images
// whose users expect one. test/node-setup gets it.
func (c *Cluster) Busybox() (string, error) {
	path := filepath.Join(filepath.Dir(c.tools), "busybox-static", "bin", "busybox")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("looking for busybox: %w; did you forget to run test/node-setup?", err)
	}
	return path, nil
}
