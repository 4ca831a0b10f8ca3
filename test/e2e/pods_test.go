package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// There is no kubelet in this suite (test/node has one). The pods here are real
// objects, kept by the real controllers; what a kubelet would do is done by hand.

func portOf(t *testing.T, node *testbed.VaultNode) string {
	t.Helper()
	parsed, err := url.Parse(node.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Port()
}

// apply makes objects in a namespace.
func apply(t *testing.T, namespace, manifest string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	write(t, file, manifest)
	kubectl(t, "apply", "-n", namespace, "-f", file)
}

// runPod has a pod run, as a kubelet reports it.
func runPod(t *testing.T, namespace, pod string, restarts int) {
	t.Helper()
	status := fmt.Sprintf(`{"status":{"phase":"Running","podIP":"127.0.0.1","podIPs":[{"ip":"127.0.0.1"}],
		"containerStatuses":[{"name":"vault","image":"none","imageID":"","ready":false,"restartCount":%d,"state":{"running":{}}}]}}`, restarts)
	kubectl(t, "patch", "pod", pod, "-n", namespace, "--subresource=status", "--type=merge", "-p="+status)
}

// podFor makes the pod of a Vault server.
func podFor(t *testing.T, namespace, name string, node *testbed.VaultNode) {
	t.Helper()
	apply(t, namespace, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app.kubernetes.io/name: vault, component: server}}
spec:
  containers: [{name: vault, image: none, ports: [{name: http, containerPort: %s}]}]
`, name, portOf(t, node)))
	runPod(t, namespace, name, 0)
}

// grant lets our service account do something more.
func grant(t *testing.T, namespace, name string, rule ...string) {
	t.Helper()
	kubectl(t, append([]string{"create", "role", name, "-n", namespace}, rule...)...)
	kubectl(t, "create", "rolebinding", name, "-n", namespace, "--role="+name, "--serviceaccount="+namespace+":vault-bootstrap")
}

// TestSelector finds three replicas by the labels of their pods.
func TestSelector(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3})
	p, namespace, _ := inKubernetes(t, nil, "--vault-selector=app.kubernetes.io/name=vault,component=server", "--vault-scheme=http")
	wantFailure(t, p.run("run", "--replicas=3"), 64, "list", "pods", "rules of a Role")
	grant(t, namespace, "find-vault", "--verb=list", "--resource=pods")
	wantFailure(t, p.run("run", "--timeout=2s", "--replicas=3"), 1, "no pod in the namespace", "--vault-selector")
	for i, node := range cluster.Nodes[:2] {
		podFor(t, namespace, fmt.Sprintf("vault-%d", i), node)
	}
	wantFailure(t, p.run("run"), 64, "does not belong to a StatefulSet", "--replicas")
	wantFailure(t, p.run("run", "--timeout=2s", "--replicas=3"), 1, "replica 3 of 3", "not known yet")
	wantUninitialized(t, cluster)
	podFor(t, namespace, "vault-2", cluster.Nodes[2])
	done := p.must(0, "run", "--replicas=3")
	wantEvents(t, "first run", done.Events(), "initialize", "unseal", "seed", "harden")
	if begun := done.Log("initializing"); len(begun) != 1 || begun[0].Text("replica") != cluster.Nodes[0].Addr {
		t.Errorf("initialized %v, want %s", begun, cluster.Nodes[0].Addr)
	}
	for _, node := range cluster.Nodes {
		if code := health(t, node); code != 200 && code != 429 {
			t.Errorf("%s answers %d", node.Addr, code)
		}
	}
	files, _ := inFiles(t, nil, "--vault-selector=a=b")
	wantFailure(t, files.run("run"), 64, "--vault-selector needs the records in Kubernetes")
	wantFailure(t, p.run("run", "--vault-selector=(("), 64, "is not a label selector")
	wantFailure(t, p.run("run", "--vault-addr=http://127.0.0.1:1"), 64, "excludes")
}

// TestRespectSeal tells a seal on purpose from a restart.
func TestRespectSeal(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	node := cluster.Nodes[0]
	p, namespace, _ := inKubernetes(t, nil, "--vault-selector=component=server", "--vault-scheme=http", "--replicas=1", "--respect-seal")
	grant(t, namespace, "find-vault", "--verb=list", "--resource=pods")
	podFor(t, namespace, "vault-0", node)
	p.must(0, "run")
	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	runPod(t, namespace, "vault-0", 1)
	wantEvents(t, "after a restart", p.must(0, "run").Events(), "seal", "unseal")

	sealNode(t, p, node)
	wantFailure(t, p.run("run"), 70, "sealed on purpose", "without --respect-seal")
	if last, _ := status(p)["last_error"].(map[string]any); last["name"] != "sealed on purpose" {
		t.Errorf("status shows %v", last)
	}
	if code := health(t, node); code != 503 {
		t.Errorf("it answers %d: it was unsealed", code)
	}
	wantEvents(t, "a person's run", p.must(0, "run", "--respect-seal=false").Events(), "seal", "unseal")

	files, _ := inFiles(t, cluster)
	wantFailure(t, files.run("run", "--respect-seal"), 64, "--respect-seal", "Kubernetes")
}

// rootOf makes a root token from the stored shares, as an operator would.
func rootOf(t *testing.T, p *program, node *testbed.VaultNode) string {
	t.Helper()
	root, err := node.GenerateRoot(t.Context(), keysIn(t, p).Set.Vault())
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, root)
	return root
}

// sealNode seals a server, as an operator would.
func sealNode(t *testing.T, p *program, node *testbed.VaultNode) {
	t.Helper()
	if err := node.Call(t.Context(), "PUT", "sys/seal", rootOf(t, p, node), nil, nil); err != nil {
		t.Fatal(err)
	}
	err := testbed.Poll(t.Context(), 20*time.Millisecond, "the server to be sealed", func(context.Context) error {
		if code := health(t, node); code != 503 {
			return fmt.Errorf("it answers %d", code)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// statefulVault is a StatefulSet with one server and a claim, as the official chart
// makes it.
const statefulVault = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: vault}
spec:
  replicas: 1
  selector: {matchLabels: {component: server}}
  template:
    metadata: {labels: {component: server}}
    spec:
      containers: [{name: vault, image: none, ports: [{name: http, containerPort: %s}], volumeMounts: [{name: data, mountPath: /vault/data}]}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`

// uids returns the UIDs of the pod and its claim; empty while one is not there, or is
// going.
func uids(t *testing.T, namespace string) (pod, claim string) {
	t.Helper()
	for _, each := range []struct {
		what string
		uid  *string
	}{{"pod/vault-0", &pod}, {"pvc/data-vault-0", &claim}} {
		var found struct {
			Metadata struct{ UID, DeletionTimestamp string }
		}
		out := kubectl(t, "get", each.what, "-n", namespace, "--ignore-not-found", "-o=json")
		if out == "" {
			continue
		}
		if err := json.Unmarshal([]byte(out), &found); err != nil {
			t.Fatal(err)
		}
		if found.Metadata.DeletionTimestamp == "" {
			*each.uid = found.Metadata.UID
		}
	}
	return pod, claim
}

// untilNew waits until the controllers have made both anew.
func untilNew(t *testing.T, namespace, pod, claim string) {
	t.Helper()
	err := testbed.Poll(t.Context(), 50*time.Millisecond, "a new pod and claim", func(context.Context) error {
		newPod, newClaim := uids(t, namespace)
		if newPod == "" || newClaim == "" || newPod == pod || newClaim == claim {
			return fmt.Errorf("pod %q, claim %q", newPod, newClaim)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// lostOnStatefulSet loses the keys of a Vault in a StatefulSet.
func lostOnStatefulSet(t *testing.T) (p *program, namespace string, cluster *testbed.VaultCluster) {
	t.Helper()
	cluster = testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := proxied(t, cluster)
	proxyPort := proxy.URL[strings.LastIndexByte(proxy.URL, ':')+1:]
	p, namespace, _ = inKubernetes(t, nil, "--vault-selector=component=server", "--vault-scheme=http",
		"--lease-duration=3s", "--lease-renew-deadline=2s", "--lease-retry-period=500ms")
	p.env = append(p.env, "POD_NAME=job-1")
	grant(t, namespace, "find-vault", "--verb=list", "--resource=pods")
	grant(t, namespace, "count-vault", "--verb=get", "--resource=statefulsets", "--resource-name=vault")
	apply(t, namespace, fmt.Sprintf(statefulVault, proxyPort))
	untilNew(t, namespace, "", "")
	runPod(t, namespace, "vault-0", 0)
	proxy.Inject(testbed.Fault{Method: "PUT", Path: "/v1/sys/init", After: true, Cut: true, Times: 1})
	wantFailure(t, p.run("run"), 70, "keys lost", "--on-keys-lost=reset")
	return p, namespace, cluster
}

// TestResetLostKeys deletes what nobody can open, and nothing else, and starts over.
func TestResetLostKeys(t *testing.T) {
	p, namespace, cluster := lostOnStatefulSet(t)
	pod, claim := uids(t, namespace)
	if newPod, newClaim := uids(t, namespace); newPod != pod || newClaim != claim {
		t.Fatal("a run without the flag deleted something")
	}
	// job-2 is another process: whether the first one lives on is asked of its pod.
	p.env = append(p.env, "POD_NAME=job-2")
	missing := p.run("run", "--on-keys-lost=reset", "--timeout=20s")
	wantFailure(t, missing, 64, `delete persistentvolumeclaims \"data-vault-0\"`, `delete pods \"vault-0\"`)
	grant(t, namespace, "empty-vault-claims", "--verb=get,delete", "--resource=persistentvolumeclaims", "--resource-name=data-vault-0")
	grant(t, namespace, "empty-vault-pods", "--verb=delete", "--resource=pods", "--resource-name=vault-0")

	run := p.stopped("reset.recorded", "run", "--on-keys-lost=reset")
	run.Kill()
	if newPod, newClaim := uids(t, namespace); newPod != pod || newClaim != claim {
		t.Fatal("something was deleted before it was recorded")
	}
	run = p.stopped("reset.deleted", "run", "--on-keys-lost=reset")
	run.Kill()
	untilNew(t, namespace, pod, claim)
	pod, claim = uids(t, namespace)
	runPod(t, namespace, "vault-0", 0) // as if the old server still answered in its place
	again := p.start("run", "--on-keys-lost=reset")
	again.Says("deleting the storage", 1) // once more, of which nothing is left
	if newPod, newClaim := uids(t, namespace); newPod != pod || newClaim != claim {
		t.Error("what came back was deleted")
	}
	startOver(t, cluster) // the new pod has an empty volume
	r := again.Wait()
	if r.Code != 0 {
		t.Fatalf("exited with %d\n%s", r.Code, r)
	}
	p.must(0, "run", "--on-keys-lost=reset")
	if newPod, newClaim := uids(t, namespace); newPod != pod || newClaim != claim {
		t.Error("a run of a healthy cluster deleted something")
	}
	if record := string(p.keys()); !strings.Contains(record, `"emptied"`) {
		t.Error("the lost attempt does not say what was deleted")
	}
}

// TestResetLeavesAnOpenVault deletes nothing once somebody has opened the Vault.
func TestResetLeavesAnOpenVault(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, namespace, _ := inKubernetes(t, nil, "--vault-selector=component=server", "--vault-scheme=http", "--on-keys-lost=reset")
	grant(t, namespace, "find-vault", "--verb=list,delete", "--resource=pods")
	grant(t, namespace, "count-vault", "--verb=get", "--resource=statefulsets")
	grant(t, namespace, "claims", "--verb=get,delete", "--resource=persistentvolumeclaims")
	apply(t, namespace, fmt.Sprintf(statefulVault, portOf(t, cluster.Nodes[0])))
	untilNew(t, namespace, "", "")
	runPod(t, namespace, "vault-0", 0)
	killedAt(p, "initialize.intended")
	keys, err := cluster.Initialize(t.Context(), 1, 1) // somebody is faster than our rerun
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.Unseal(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, append(keys.Shares, keys.RootToken)...)
	pod, claim := uids(t, namespace)
	wantFailure(t, p.run("run"), 70, "not ours")
	if newPod, newClaim := uids(t, namespace); newPod != pod || newClaim != claim {
		t.Error("the storage of a Vault in use was deleted")
	}
}

func TestResetNeedsKubernetes(t *testing.T) {
	p, _ := inFiles(t, testbed.VaultFor(t, testbed.VaultOptions{}))
	wantFailure(t, p.run("run", "--on-keys-lost=reset"), 64, "--on-keys-lost=reset", "Kubernetes")
	wantFailure(t, p.run("run", "--on-keys-lost=wipe"), 64, "neither 'stop' nor 'reset'")
}

// TestRetireKeys starts over from keys whose Vault is gone.
func TestRetireKeys(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, dir := inFiles(t, cluster)
	p.must(0, "run")
	wantFailure(t, p.run("keys retire"), 64, "is initialized", "Nothing was changed")
	old := keysIn(t, p).Set.Shares
	if err := cluster.Nodes[0].Stop(); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, p.run("keys retire", "--timeout=3s"), 1, "does not answer", "Nothing was changed")
	startOver(t, cluster)
	wantFailure(t, p.run("run"), 70, "keys without a Vault", "keys retire")
	if out := p.must(0, "keys retire").Stdout; !strings.Contains(out, "under old[") {
		t.Errorf("it says %q", out)
	}
	wantFailure(t, p.run("keys retire"), 64, "no keys are stored")
	wantEvents(t, "the new Vault", p.must(0, "run").Events(), "initialize", "unseal", "seed", "harden")
	var record struct {
		Old map[string]struct{ Shares []string }
	}
	content, err := os.ReadFile(driver.RecordFile(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &record); err != nil {
		t.Fatal(err)
	}
	for date, set := range record.Old {
		if fmt.Sprint(set.Shares) != fmt.Sprint(old) {
			t.Errorf("the set of %s is not the old one", date)
		}
	}
	if len(record.Old) != 1 {
		t.Errorf("%d old sets are kept, want 1", len(record.Old))
	}
}
