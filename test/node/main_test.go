package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// cluster is the one that all tests share; nil where no node can run, and missing
// then says why.
var (
	cluster *testbed.Cluster
	missing error
)

// The images that pods use. The second one differs in the build tag 'crashpoints'
// only: it can be stopped at named points. The names of the others are those that
// manifests and charts have by default.
const (
	programImage   = "localhost/vault-bootstrap:dev"
	stoppableImage = "vault-bootstrap:crashpoints"
	vaultImage     = "hashicorp/vault:1.21.1"
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	named := os.Getenv(testbed.AttachVariable)
	if named == "" {
		if missing = testbed.NodeMissing(); missing != nil {
			return m.Run()
		}
	}
	dir, err := os.MkdirTemp("", "vault-bootstrap-node-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if named == "" {
		err = start(dir)
	} else {
		cluster, err = testbed.AttachCluster(named, os.Getenv(testbed.ConfirmVariable))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := cluster.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// start starts the cluster, and makes the images.
func start(dir string) error {
	ctx := context.Background()
	began := time.Now()
	options := testbed.ClusterOptions{}
	if keep := os.Getenv("TESTBED_DIR"); keep != "" {
		options.Dir = filepath.Join(keep, "node-cluster")
	}
	var err error
	if cluster, err = testbed.StartCluster(ctx, options); err != nil {
		return err
	}
	fmt.Printf("cluster: started in %s\n", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	if err = pushImages(ctx, dir); err != nil {
		_ = cluster.Close()
		return err
	}
	fmt.Printf("images: made in %s\n", time.Since(began).Round(time.Millisecond))
	return nil
}

func pushImages(ctx context.Context, dir string) error {
	for name, tags := range map[string]string{programImage: "", stoppableImage: "crashpoints"} {
		binary := filepath.Join(dir, "vault-bootstrap"+tags)
		if err := driver.Build(ctx, binary, driver.Program{Tags: tags, Release: true}); err != nil {
			return err
		}
		// What the Dockerfile makes.
		err := cluster.PushImage(ctx, name, testbed.Image{
			Files:      map[string]string{"/vault-bootstrap": binary},
			User:       "65532:65532",
			Entrypoint: []string{"/vault-bootstrap"},
			Command:    []string{"run"},
		})
		if err != nil {
			return err
		}
	}
	return pushVault(ctx)
}

// pushVault makes an image that the Vault chart can use: the server, a shell and its
// like, and the official image's user, directories and entry point.
func pushVault(ctx context.Context) error {
	server, err := testbed.LookServer()
	if err != nil {
		return err
	}
	busybox, err := cluster.Busybox()
	if err != nil {
		return err
	}
	links := map[string]string{}
	for _, each := range []string{"sh", "cp", "sed", "cat", "sleep", "kill", "pidof", "wget", "ls", "rm", "true", "test"} {
		links["/bin/"+each] = "busybox"
	}
	return cluster.PushImage(ctx, vaultImage, testbed.Image{
		Files: map[string]string{
			"/bin/vault":                          server.Binary, // OpenBao's goes by this name, too
			"/bin/busybox":                        busybox,
			"/usr/local/bin/docker-entrypoint.sh": "testdata/docker-entrypoint.sh",
		},
		Links:      links,
		Dirs:       []string{"/tmp", "/home/vault", "/vault/config", "/vault/data", "/vault/audit", "/vault/logs"},
		User:       "100:1000",
		Entrypoint: []string{"docker-entrypoint.sh"},
		Command:    []string{"server", "-dev"},
		Env:        map[string]string{"PATH": "/usr/local/bin:/bin", "HOME": "/home/vault"},
	})
}
