package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestTerminationMessageIsShared has a pod of five containers, for each of which the
// kubelet keeps 2,457 bytes: an answer with ten shares is longer, and with five it fits.
func TestTerminationMessageIsShared(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	message := filepath.Join(t.TempDir(), "termination-log")
	write(t, message, "")
	p, namespace, _ := inKubernetes(t, cluster, "--termination-log="+message)
	p.env = append(p.env, "POD_NAME=job-1")
	apply(t, namespace, `
apiVersion: v1
kind: Pod
metadata: {name: job-1}
spec:
  serviceAccountName: vault-bootstrap
  initContainers: [{name: one, image: none}, {name: two, image: none, restartPolicy: Always}]
  containers: [{name: vault-bootstrap, image: none}, {name: four, image: none}, {name: five, image: none}]
`)
	const left = "this spool location cannot take Vault's answer"
	// Without another place for the answer, the run ends before Vault is asked.
	full := filepath.Join(t.TempDir(), "file")
	write(t, full, "")
	wantFailure(t, p.run("run", "--key-shares=10", "--key-threshold=6", "--spool-dir="+filepath.Join(full, "spool")), 64,
		"termination message of 2457", "each of the 5 containers", "--spool-dir")
	if code := health(t, cluster.Nodes[0]); code != 501 {
		t.Fatalf("Vault answers %d: it was touched", code)
	}
	done := p.must(0, "run", "--key-shares=10", "--key-threshold=6", "--spool-dir="+filepath.Join(t.TempDir(), "spool"))
	if got := fmt.Sprint(done.lines(left)); !strings.Contains(got, "5 containers") {
		t.Errorf("it does not say that the message is left out\n%s", done)
	}
}
