package e2e

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// policies reads and writes policies as an administrator.
type policies struct {
	t    *testing.T
	node *testbed.VaultNode
	root string
}

func (p policies) write(name, rules string) {
	p.t.Helper()
	if err := p.node.Call(p.t.Context(), http.MethodPut, "sys/policies/acl/"+name, p.root, m{"policy": rules}, nil); err != nil {
		p.t.Fatal(err)
	}
}

func (p policies) holds(name, path string) bool {
	p.t.Helper()
	var answer struct{ Data struct{ Policy string } }
	if err := p.node.Call(p.t.Context(), http.MethodGet, "sys/policies/acl/"+name, p.root, nil, &answer); err != nil {
		p.t.Fatal(err)
	}
	return strings.Contains(answer.Data.Policy, path)
}

const drifted = `path "drifted" { capabilities = ["read"] }`

// TestDriftBetweenActAndLook has somebody change Vault when a run has applied the seed and
// has not looked again. Of what the run has written it reads the role again; of policies,
// which Vault keeps as they are written, and of what it has only read it knows how they were,
// and the next run finds the drift.
func TestDriftBetweenActAndLook(t *testing.T) {
	t.Parallel()
	p, node, seed, auditLog := withMany(t, 20)
	root := rootOf(t, p, node)
	live := policies{t, node, root}
	rolePolicies := func() string {
		t.Helper()
		var answer struct {
			Data struct {
				Policies []string `json:"token_policies"`
			}
		}
		if err := node.Call(t.Context(), http.MethodGet, "auth/apps/role/r2", root, nil, &answer); err != nil {
			t.Fatal(err)
		}
		return strings.Join(answer.Data.Policies, " ")
	}

	write(t, seed, strings.NewReplacer("data/4/", "data/four/", "[p2]", "[p2, p3]").Replace(many(auditLog, 20)))
	run := p.stopped("seed.applied", "run")
	if err := node.Call(t.Context(), http.MethodPost, "auth/apps/role/r2", root, m{"token_policies": []string{"p9"}}, nil); err != nil {
		t.Fatal(err)
	}
	live.write("p4", drifted)
	live.write("p7", drifted)
	run.Send(sigcont)
	// It finds that the role is not as it wrote it, comes to the same point once more, and leaves
	// it: it cannot distinguish that from a server that drops what it is given.
	run.StopsAt("seed.applied", 2)
	run.Send(sigcont)
	if r := run.Wait(); r.Code != 1 || !strings.Contains(r.Stderr, "auth/apps/role/r2") || !strings.Contains(r.Stderr, "p9") {
		t.Fatalf("the run exited with %d\n%s", r.Code, r)
	}
	p.must(0, "run")
	if got := rolePolicies(); got != "p2 p3" {
		t.Errorf("the next run has not put right what was changed: the role has %q", got)
	}
	if !live.holds("p4", "data/four/") {
		t.Error("the next run has not found the drift of a policy that the run before had written")
	}
	if !live.holds("p7", "data/7/") {
		t.Error("the next run has not found the drift of a policy that the run before had read")
	}
}

// TestLostLeaseTrustsNothing stops a watch past its Lease when it has applied the seed. Then
// somebody else has the Lease, and Vault is changed. The watch that goes on must read
// everything again, although it has seen it seconds ago.
func TestLostLeaseTrustsNothing(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, _, _ := inKubernetes(t, cluster, append(shortLease, "--login=approle")...)
	auditLog := filepath.Join(t.TempDir(), "audit.log")
	at := slices.IndexFunc(p.flags, func(flag string) bool { return strings.HasPrefix(flag, "--seed=") })
	seed := strings.TrimPrefix(p.flags[at], "--seed=")
	write(t, seed, many(auditLog, 20))
	p.must(0, "run")
	live := policies{t, cluster.Nodes[0], rootOf(t, p, cluster.Nodes[0])}

	write(t, seed, strings.Replace(many(auditLog, 20), "data/2/", "data/two/", 1))
	watch := p.stopped("seed.applied", "watch", "--interval=2s")
	p.must(0, "run") // waits for the Lease to end
	live.write("p7", drifted)
	watch.Send(sigcont)
	within(t, 20*time.Second, "the drift to be found", func() bool { return live.holds("p7", "data/7/") })
	watch.Kill()
}
