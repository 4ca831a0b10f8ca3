package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// proxied starts an HTTP proxy in front of the cluster's only node.
func proxied(t *testing.T, cluster *testbed.VaultCluster) *testbed.HTTPProxy {
	t.Helper()
	proxy := testbed.HTTPProxyFor(t, cluster.Nodes[0].Addr)
	return proxy
}

// killedAt runs until the program stops itself at a point, and kills it there.
func killedAt(p *program, point string) {
	p.t.Helper()
	run := p.stopped(point, "run")
	run.Kill()
}

// TestSpooledAnswerIsRecovered kills a run that has Vault's answer on disk and not
// in the store.
func TestSpooledAnswerIsRecovered(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, dir := inFiles(t, cluster)
	killedAt(p, "initialize.spooled")
	if keysIn(t, p).Set != nil {
		t.Fatal("the keys were stored already")
	}
	spools, err := filepath.Glob(filepath.Join(dir, "spool", "*.spool"))
	if err != nil || len(spools) != 1 {
		t.Fatalf("spools: %v, %v", spools, err)
	}
	if info, err := os.Stat(spools[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the spool has the mode %v, %v", info.Mode(), err)
	}
	again := p.must(0, "run")
	wantEvents(t, "rerun", again.Events(), "unseal", "seed", "harden")
	if spools, _ := filepath.Glob(filepath.Join(dir, "spool", "*.spool")); len(spools) != 0 {
		t.Errorf("the spool was left: %v", spools)
	}
	if record := string(p.keys()); strings.Contains(record, "private_key") {
		t.Error("the attempt's private key outlives its use")
	}
}

// TestKeysRecover brings a spooled answer from elsewhere, as a person would from
// the termination message of a pod.
func TestKeysRecover(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, dir := inFiles(t, cluster)
	killedAt(p, "initialize.spooled")
	spools, _ := filepath.Glob(filepath.Join(dir, "spool", "*.spool"))
	elsewhere := filepath.Join(t.TempDir(), "message")
	write(t, elsewhere, "  some other line\n"+read(t, spools[0]))
	if err := os.RemoveAll(filepath.Join(dir, "spool")); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, p.run("run"), 70, "keys lost")

	store := []string{"--store=file:" + dir}
	recovering := &program{t: t, flags: store, keys: p.keys}
	junk := filepath.Join(t.TempDir(), "junk")
	write(t, junk, "nothing of use")
	wantFailure(t, recovering.run("keys recover", "--from="+junk), 64, "no spooled init response found")
	if out := recovering.must(0, "keys recover", "--from="+elsewhere).Stdout; !strings.Contains(out, "The keys are stored") {
		t.Errorf("it says %q", out)
	}
	wantEvents(t, "run", p.must(0, "run").Events(), "unseal", "seed", "harden")
}

// TestTerminatedWhileVaultAnswers sends SIGTERM in the middle of sys/init.
func TestTerminatedWhileVaultAnswers(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := proxied(t, cluster)
	p, _ := inFiles(t, nil, "--vault-addr="+proxy.URL)
	hits := proxy.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/init", After: true, Delay: 2 * time.Second, Times: 1})
	run := p.start("run")
	run.Says(`"initializing"`, 1)
	run.Send(syscall.SIGTERM)
	r := run.Wait()
	if r.Code != 1 || hits() != 1 {
		t.Errorf("the terminated run exited with %d after %d requests\n%s", r.Code, hits(), r)
	}
	if keysIn(t, p).Set == nil {
		t.Fatal("the keys were not stored before the end")
	}
	wantEvents(t, "rerun", p.must(0, "run").Events(), "unseal", "seed", "harden")
}

// TestLostAnswer cuts the connection that carries Vault's answer: the one thing that
// no client can close. It must end by name, and its remedy must lead to hardened.
func TestLostAnswer(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := proxied(t, cluster)
	p, _ := inFiles(t, nil, "--vault-addr="+proxy.URL)
	proxy.Inject(testbed.Fault{Method: http.MethodPut, Path: "/v1/sys/init", After: true, Cut: true, Times: 1})
	wantFailure(t, p.run("run"), 70, "keys lost", "--on-keys-lost=reset")
	if last, _ := status(p)["last_error"].(map[string]any); last["name"] != "keys lost" {
		t.Errorf("status shows %v", last)
	}
	wantFailure(t, p.run("run"), 70, "keys lost")
	startOver(t, cluster)
	p.must(0, "run")
	if past := strings.Count(string(p.keys()), `"status":"open"`); past != 1 {
		t.Errorf("%d lost attempts are on record, want 1", past)
	}
}

// startOver does what the remedy of 'keys lost' says: it deletes Vault's data.
func startOver(t *testing.T, cluster *testbed.VaultCluster) {
	t.Helper()
	for _, node := range cluster.Nodes {
		if err := node.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(node.Dir, "data")); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(node.Dir, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoPlaceToSpool has no place that can take Vault's answer.
func TestNoPlaceToSpool(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	p, _ := inFiles(t, cluster)
	wantFailure(t, p.run("run", "--spool-dir="+file), 64, file, "--spool-dir")
	wantUninitialized(t, cluster)
}

// TestRecoveredFromEarlierPod finds the answer in the termination message of the pod
// that was killed.
func TestRecoveredFromEarlierPod(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	message := filepath.Join(t.TempDir(), "termination-log")
	write(t, message, "")
	lost := filepath.Join(t.TempDir(), "emptydir")
	p, namespace, _ := inKubernetes(t, cluster, "--lease-duration=3s", "--lease-renew-deadline=2s", "--lease-retry-period=500ms")
	run := p.with("POD_NAME=job-1").stopped("initialize.spooled", "run", "--termination-log="+message, "--spool-dir="+lost)
	run.Kill()

	// There is no kubelet here: the Pod's status is written as a kubelet would.
	if err := kubernetes(t).Apply(t.Context(), fmt.Appendf(nil, `
apiVersion: v1
kind: Pod
metadata: {name: job-1, namespace: %s}
spec:
  serviceAccountName: vault-bootstrap
  containers: [{name: vault-bootstrap, image: none}]
`, namespace)); err != nil {
		t.Fatal(err)
	}
	patch := fmt.Sprintf(`{"status":{"containerStatuses":[{"name":"vault-bootstrap","image":"none","imageID":"","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":137,"message":%q}}}]}}`, read(t, message))
	kubectl(t, "patch", "pod", "job-1", "-n", namespace, "--subresource=status", "--type=strategic", "-p="+patch)

	again := p.must(0, "run", "--termination-log=/does/not/exist", "--spool-dir="+filepath.Join(t.TempDir(), "new"))
	wantEvents(t, "rerun", again.Events(), "unseal", "seed", "harden")
}

// TestRuleTakenAwayAfterInit takes the right to write the keys away while we hold
// them, and gives it back.
func TestRuleTakenAwayAfterInit(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, namespace, _ := inKubernetes(t, cluster)
	run := p.stopped("initialize.spooled", "run")
	kubectl(t, "patch", "role", "vault-bootstrap", "-n", namespace, "--type=json", `-p=[{"op":"remove","path":"/rules/0"}]`)
	run.Send(sigcont)
	run.Says("the keys are not stored yet", 1)
	kubectl(t, "apply", "-n", namespace, "-f", "../../manifests/rbac.yaml")
	if r := run.Wait(); r.Code != 0 {
		t.Errorf("exited with %d\n%s", r.Code, r)
	}
	wantEvents(t, "history", history(p), "initialize", "unseal", "seed", "harden")
}

// TestAPIServerAwayAfterInit takes the API server away for longer than the Lease
// lives while we hold the keys.
func TestAPIServerAwayAfterInit(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, _, _ := inKubernetes(t, cluster, "--lease-duration=3s", "--lease-renew-deadline=2s", "--lease-retry-period=500ms")
	run := p.stopped("initialize.spooled", "run")
	if err := kubernetes(t).StopAPIServer(); err != nil {
		t.Fatal(err)
	}
	run.Send(sigcont)
	run.Says("the keys are not stored yet", 1)
	away := time.Now()
	within(t, time.Minute, "the Lease to be over", func() bool { return time.Since(away) > 4*time.Second })
	if err := kubernetes(t).StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := run.Wait()
	if keysIn(t, p).Set == nil {
		t.Fatalf("the keys never arrived (exit %d)\n%s", r.Code, r)
	}
	// It may have lost its Lease meanwhile: then another run goes on.
	if r.Code != 0 && r.Code != 75 {
		t.Errorf("exited with %d\n%s", r.Code, r)
	}
	p.must(0, "run")
	if state := status(p)["state"]; state != "hardened" {
		t.Errorf("ended at %v", state)
	}
	if strings.Contains(string(p.keys()), `"past"`) {
		t.Error("there was a second attempt")
	}
}

// TestRecordRemovedAfterInit removes the keys record while we hold the keys.
func TestRecordRemovedAfterInit(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, dir := inFiles(t, cluster)
	run := p.stopped("initialize.spooled", "run")
	if err := os.Remove(driver.RecordFile(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	run.Send(sigcont)
	r := run.Wait()
	if keysIn(t, p).Set == nil {
		t.Fatalf("the keys never arrived (exit %d)\n%s", r.Code, r)
	}
	p.must(0, "run")
	if state := status(p)["state"]; state != "hardened" {
		t.Errorf("ended at %v", state)
	}
}

// TestSpoolIsForgottenAfterAKill kills a run between storing the keys and forgetting
// the spool.
func TestSpoolIsForgottenAfterAKill(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, dir := inFiles(t, cluster)
	killedAt(p, "initialize.stored")
	p.must(0, "run")
	if spools, _ := filepath.Glob(filepath.Join(dir, "spool", "*")); len(spools) != 0 {
		t.Errorf("the spool was left: %v", spools)
	}
}
