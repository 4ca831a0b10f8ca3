package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestJoins has three servers with raft storage of which none looks for the others.
func TestJoins(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3, TLS: true, NoRetryJoin: true})
	p, _ := inFiles(t, cluster, "--replicas=3", "--replica-patience=60s")
	run := p.stopped("entered.unsealed", "run")
	root := keysIn(t, p).Root.Token
	testbed.NoteSecrets(t, root)
	run.Send(sigcont)
	done := run.Wait()
	if done.Code != 0 {
		t.Fatalf("exited with %d\n%s", done.Code, done)
	}
	if joined := done.Log("joined"); len(joined) != 2 {
		t.Errorf("joined %v", joined)
	}
	if initialized := done.Log("initializing"); len(initialized) != 1 {
		t.Errorf("initialized %d times", len(initialized))
	}
	for i, node := range cluster.Nodes[1:] {
		if code := health(t, node); code != http.StatusTooManyRequests {
			t.Errorf("node %d answers %d", i+1, code)
		}
	}
	again := p.must(0, "run")
	if len(again.Log("joined")) != 0 || len(again.Events()) != 0 {
		t.Errorf("the rerun did something\n%s", again)
	}
}

// TestJoinsForHighAvailabilityOnly has two servers that share their storage and use raft
// for ha_storage: the second one is unsealed, and knows of no active node.
func TestJoinsForHighAvailabilityOnly(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 2, TLS: true, Storage: "shared"})
	p, _ := inFiles(t, cluster, "--replica-patience=60s")
	done := p.must(0, "run")
	if joined := done.Log("joined"); len(joined) != 1 || joined[0].Text("replica") != cluster.Nodes[1].Addr {
		t.Errorf("joined %v\n%s", joined, done)
	}
	for i, node := range cluster.Nodes {
		var leader struct {
			Address string `json:"leader_address"`
		}
		if err := node.Call(t.Context(), http.MethodGet, "sys/leader", "", nil, &leader); err != nil || leader.Address != cluster.Nodes[0].Addr {
			t.Errorf("node %d takes %q for the leader, %v", i, leader.Address, err)
		}
	}
	again := p.must(0, "run")
	if len(again.Log("joined")) != 0 || len(again.Events()) != 0 {
		t.Errorf("the rerun did something\n%s", again)
	}
}

// TestRetryJoinComesFirst leaves servers alone that find the others by themselves.
func TestRetryJoinComesFirst(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3})
	p, _ := inFiles(t, cluster)
	if joined := p.must(0, "run").Log("joined"); len(joined) != 0 {
		t.Errorf("we joined %v", joined)
	}
}

// TestWaitsForAllReplicas initializes nothing while one of them is missing.
func TestWaitsForAllReplicas(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{Nodes: 3})
	missing := cluster.Nodes[2]
	if err := missing.Stop(); err != nil {
		t.Fatal(err)
	}
	p, _ := inFiles(t, cluster)
	wantFailure(t, p.run("run", "--replicas=3", "--timeout=1s"), 1, "1 of 3 replicas", missing.Addr)
	for _, node := range cluster.Nodes[:2] {
		if code := health(t, node); code != http.StatusNotImplemented {
			t.Errorf("%s answers %d: it was touched", node.Addr, code)
		}
	}
	run := p.start("run", "--replicas=3")
	run.Says("waiting for an answer", 1)
	if err := missing.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if done := run.Wait(); done.Code != 0 {
		t.Fatalf("exited with %d\n%s", done.Code, done)
	}
	two, _ := inFiles(t, nil, "--vault-addr="+cluster.Nodes[0].Addr, "--vault-addr="+cluster.Nodes[1].Addr)
	wantFailure(t, two.run("run", "--replicas=3"), 64, "--replicas=3", "the number of addresses is 2")
}

// TestServiceWithoutDNS waits for pods whose names it knows.
func TestServiceWithoutDNS(t *testing.T) {
	p, _ := inFiles(t, nil)
	waits := p.run("run", "--vault-service=vault-internal.invalid", "--replicas=2", "--vault-statefulset=safe", "--timeout=3s")
	wantFailure(t, waits, 1, "2 of 2 replicas", "https://safe-0.vault-internal.invalid:8200", "https://safe-1.vault-internal.invalid:8200")
	wantFailure(t, p.run("run", "--vault-service=vault-internal.invalid", "--timeout=3s"), 1, "_https._tcp.vault-internal.invalid", "publishNotReadyAddresses")
	if status := p.run("status", "--vault-service=vault-internal.invalid", "--replicas=1", "--timeout=3s"); !strings.Contains(status.Stdout, "vault-0.vault-internal.invalid") {
		t.Errorf("status does not know the replica\n%s", status)
	}
}
