package e2e

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestWatchStoresAnEarlierPodsAnswer leaves Vault's answer in the termination message of a
// pod that was killed, and nowhere else. A watch that is started and killed, and a second
// one, are all that runs then: the pod may be deleted at any time, and the keys with it.
func TestWatchStoresAnEarlierPodsAnswer(t *testing.T) {
	const lease = 3 * time.Second
	flags := append(shortLease, "--login=approle")
	// What Vault itself needs from there on, in a run of its own.
	other, _, _ := inKubernetes(t, testbed.VaultFor(t, testbed.VaultOptions{}), flags...)
	needs := other.must(0, "run").Took

	t.Run("watch", func(t *testing.T) {
		p, namespace, _ := inKubernetes(t, testbed.VaultFor(t, testbed.VaultOptions{}), flags...)
		message := filepath.Join(t.TempDir(), "termination-log")
		write(t, message, "")
		run := p.with("POD_NAME=job-1").stopped("initialize.spooled", "run",
			"--termination-log="+message, "--spool-dir="+filepath.Join(t.TempDir(), "emptydir"))
		run.Kill()
		if keysIn(t, p).Set != nil {
			t.Fatal("the keys were stored already: nothing is shown")
		}
		endedPod(t, namespace, "job-1", read(t, message))

		elsewhere := []string{"--termination-log=/does/not/exist", "--spool-dir=" + filepath.Join(t.TempDir(), "new"), "--listen=127.0.0.1:0"}
		first := p.start("watch", elsewhere...)
		first.Says(`"listening"`, 1)
		first.Kill()

		began := time.Now()
		second := p.start("watch", elsewhere...)
		hardened := settles(t, needs+lease+3*time.Second, func() bool { return keysIn(t, p).Set != nil && status(p)["state"] == "hardened" })
		took := time.Since(began).Round(time.Millisecond)
		second.Send(syscall.SIGKILL)
		r := second.Wait()
		if !hardened {
			t.Fatalf("the only copy of the keys may still be in a pod's termination message, %s after the watch began (keys stored: %t)\n%s",
				took, keysIn(t, p).Set != nil, r)
		}
		t.Logf("hardened after %s; an undisturbed run takes %s", took, needs.Round(time.Millisecond))
	})
}

// endedPod makes the Pod of a container that was killed and has left a message. There is no
// kubelet here: the status is written as one would.
func endedPod(t *testing.T, namespace, name, message string) {
	t.Helper()
	apply(t, namespace, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  serviceAccountName: vault-bootstrap
  containers: [{name: vault-bootstrap, image: none}]
`, name))
	patch := fmt.Sprintf(`{"status":{"containerStatuses":[{"name":"vault-bootstrap","image":"none","imageID":"","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":137,"message":%q}}}]}}`, message)
	kubectl(t, "patch", "pod", name, "-n", namespace, "--subresource=status", "--type=strategic", "-p="+patch)
}
