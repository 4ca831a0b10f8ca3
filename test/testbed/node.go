package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterOptions says which cluster to start. The zero value is a control plane
// with one node.
type ClusterOptions struct {
	// Dir is the working directory; empty means a new temporary one, which Close
	// removes. Of a given one, Close leaves the logs.
	Dir string
}

// Cluster is a control plane with a real node: pods run, resolve names, reach each
// other by Service, mount volumes, and are evicted. Its images come from a registry
// of its own under whatever name they are asked for, and nothing is ever downloaded.
//
// Pods and Services are reachable from this machine by their addresses.
type Cluster struct {
	*ControlPlane

	// Attached is whether the cluster is somebody else's. Its pods are not reachable
	// from this machine then.
	Attached bool

	dir       string // the node's
	remove    string // what Close removes: the whole working directory, or ""
	lock      *nodeLock
	scheduler *process
	node      *process
	volumes   *provisioner
}

// startNodeLimit bounds the wait for the node, its network and its DNS.
const startNodeLimit = 2 * time.Minute

// StartCluster starts a cluster, and returns when its node is ready and names are
// resolved. One runs on a machine at a time: another one is waited for, as long as
// ctx allows. What a cluster that was killed has left is removed first.
func StartCluster(ctx context.Context, o ClusterOptions) (*Cluster, error) {
	c := &Cluster{}
	err := c.start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("starting a cluster: %w", errors.Join(err, c.stop()))
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, o ClusterOptions) error {
	if missing := NodeMissing(); missing != nil {
		return missing
	}
	dir, temporary, err := workDir(o.Dir, "cluster")
	if err != nil {
		return err
	}
	if temporary {
		c.remove = dir
	}
	if c.lock, err = lockNode(ctx); err != nil {
		return err
	}
	c.dir = filepath.Join(dir, "node")
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	if err := c.lock.record(c.dir); err != nil {
		return err
	}
	c.ControlPlane, err = StartControlPlane(ctx, ControlPlaneOptions{
		Dir: filepath.Join(dir, "kubernetes"), AdvertiseAddress: hostIP,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startNodeLimit)
	defer cancel()
	if err := c.startNode(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, c.nodeLogs())
	}
	return nil
}

// startNode starts what makes pods run, in the order of who needs whom.
func (c *Cluster) startNode(ctx context.Context) error {
	if err := c.startScheduler(ctx); err != nil {
		return err
	}
	if err := c.configureNode(); err != nil {
		return err
	}
	if err := c.launchNode(ctx); err != nil {
		return err
	}
	if err := c.pushPause(ctx); err != nil {
		return err
	}
	var err error
	if c.volumes, err = startProvisioner(ctx, c.Client, filepath.Join(c.dir, "volumes")); err != nil {
		return err
	}
	if err := c.nodeReady(ctx); err != nil {
		return err
	}
	return c.startDNS(ctx)
}

func (c *Cluster) startScheduler(ctx context.Context) error {
	const user = "system:kube-scheduler"
	access, err := c.clientCertificate(user)
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(c.Dir, "scheduler.kubeconfig")
	if err := c.writeKubeconfig(kubeconfig, access, ""); err != nil {
		return err
	}
	c.scheduler, err = c.server("kube-scheduler", "--kubeconfig="+kubeconfig, "--leader-elect=false", "--secure-port=0")
	if err != nil {
		return err
	}
	// It does its work or pods stay pending, and the bed's own DNS is the first.
	return c.scheduler.start(ctx, func(context.Context) error { return nil })
}

// launchNode starts the node's namespaces and all that runs in them.
func (c *Cluster) launchNode(ctx context.Context) error {
	script := filepath.Join(c.dir, "node.sh")
	if err := os.WriteFile(script, nodeScript, 0o700); err != nil {
		return err
	}
	c.node = &process{
		name:    "node",
		argv:    []string{"/bin/bash", script, c.dir},
		env:     []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + c.dir},
		dir:     c.dir,
		logFile: filepath.Join(c.dir, "node.log"),
		apart:   true,
	}
	return c.node.start(ctx, func(ctx context.Context) error {
		return c.getPlain(ctx, "http://"+registryAddress+"/v2/")
	})
}

// nodeReady waits until the node takes pods. A node that has died is not waited for.
func (c *Cluster) nodeReady(ctx context.Context) error {
	return Poll(ctx, 200*time.Millisecond, "the node to be ready", func(ctx context.Context) error {
		if !c.node.alive() {
			return GiveUp(errors.New("a server of the node has ended"))
		}
		node, err := c.Client.CoreV1().Nodes().Get(ctx, NodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, each := range node.Status.Conditions {
			if each.Type == corev1.NodeReady && each.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("its conditions are %+v", node.Status.Conditions)
	})
}

// Stop ends the node with every container, and the control plane. The node is not
// asked: it loses its power. Logs stay.
func (c *Cluster) Stop() error { return c.stop() }

// Close stops everything, and removes the working directory if the bed made it.
func (c *Cluster) Close() error {
	err := c.stop()
	if c.remove != "" {
		err = errors.Join(err, os.RemoveAll(c.remove))
	}
	return err
}

func (c *Cluster) stop() error {
	if c.Attached {
		return nil
	}
	var errs []error
	if c.volumes != nil {
		c.volumes.stop()
	}
	if c.node != nil {
		errs = append(errs, c.node.kill())
	}
	if c.scheduler != nil {
		errs = append(errs, c.scheduler.stop())
	}
	if c.ControlPlane != nil {
		errs = append(errs, c.ControlPlane.Stop())
	}
	if c.lock != nil {
		errs = append(errs, c.lock.release())
		c.lock = nil // stopping twice is no error
	}
	return errors.Join(errs...)
}

// nodeLogs returns the ends of the logs of the node's servers.
func (c *Cluster) nodeLogs() string {
	text := ""
	for _, name := range []string{"node", "registry", "containerd", "kubelet", "kube-proxy"} {
		path := filepath.Join(c.dir, name+".log")
		if content, err := os.ReadFile(path); err == nil {
			text += fmt.Sprintf("last lines of %s:\n%s\n", path, lastLines(string(content), logLines))
		}
	}
	return text
}
