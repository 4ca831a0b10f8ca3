package node

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestNamedCluster runs the suite's own program once more, in a cluster that is named
// on purpose: the one that is there.
func TestNamedCluster(t *testing.T) {
	t.Parallel()
	if missing != nil {
		t.Skip(missing)
	}
	if cluster.Attached {
		t.Skip("this is it")
	}
	config, err := clientcmd.LoadFromFile(cluster.AdminKubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(confirm string) (string, error) {
		cmd := exec.CommandContext(t.Context(), program, "-test.v", "-test.run=^(TestJobWithServiceRecords|TestCookbookInCluster|TestAutoUnseal)$")
		cmd.Env = append(os.Environ(), testbed.AttachVariable+"="+cluster.AdminKubeconfig, testbed.ConfirmVariable+"="+confirm)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(config.CurrentContext + "-not"); err == nil || !strings.Contains(out, "does not repeat its current context") {
		t.Errorf("without the right name: %v\n%s", err, out)
	}
	out, err := run(config.CurrentContext)
	if err != nil || !strings.Contains(out, "--- PASS: TestJobWithServiceRecords") || !strings.Contains(out, "--- PASS: TestCookbookInCluster") || !strings.Contains(out, "--- SKIP: TestAutoUnseal") {
		t.Errorf("by its name: %v\n%s", err, out)
	}
}
