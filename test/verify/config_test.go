package verify_test

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestServerConfiguration restarts one Vault with one bad configuration after another.
func TestServerConfiguration(t *testing.T) {
	t.Parallel()
	b := hardened(t, testbed.VaultOptions{TLS: true}, "  fix: [cors]\n")
	good := b.verify(t)
	for _, each := range []struct {
		control, old, new string
		objects           []string
		besides           []string
		// run is the exit code of 'run': the profile baseline does without few of them.
		run int
	}{
		{control: "raw-storage-endpoint", old: "ui ", new: "raw_storage_endpoint = true\nui ", run: 70},
		{control: "introspection", old: "ui ", new: "introspection_endpoint = true\nui "},
		{control: "ui-exposure", old: "ui            = false", new: "ui            = true"},
		{control: "server-lease-ttl", old: "ui ", new: "max_lease_ttl = \"9000h\"\nui "},
		{control: "tls-listeners", old: "storage ", new: fmt.Sprintf("listener \"tcp\" {\n  address = %q\n  cluster_address = \"127.0.0.1:0\"\n  tls_disable = true\n}\nstorage ", freeAddress(t))},
		{control: "open-endpoints", old: "listener \"tcp\" {", new: "listener \"tcp\" {\n  telemetry {\n    unauthenticated_metrics_access = true\n  }\n  profiling {\n    unauthenticated_pprof_access = true\n  }",
			objects: []string{b.node.Addr + " sys/metrics", b.node.Addr + " sys/pprof/"}},
	} {
		t.Run(each.control, func(t *testing.T) {
			want(t, good, each.control, harden.Holds)
			undo := b.reconfigure(t, each.old, each.new)
			done := b.must(t, each.run, "run")
			if each.run != 0 && !strings.Contains(done.Stderr, "raw storage endpoint") {
				t.Errorf("run does not say why it stopped:\n%s", done.Stderr)
			}
			bad := b.verify(t)
			want(t, bad, each.control, harden.Fails)
			if got := changed(good, bad); len(got) != 1+len(each.besides) {
				t.Errorf("what differs: %v", got)
			}
			if each.objects != nil && !slices.Equal(bad[each.control].Objects, each.objects) {
				t.Errorf("blamed: %v, want %v", bad[each.control].Objects, each.objects)
			}
			undo(t)
			if got := changed(good, b.verify(t)); len(got) > 0 {
				t.Errorf("afterwards, what differs: %v", got)
			}
		})
	}
	// The bed turns mlock off, which does not fit its file storage; OpenBao has none.
	want(t, good, "mlock", byProduct(b, harden.Fails, harden.Inapplicable))
	want(t, good, "seal-type", harden.Fails)
	for _, id := range []string{"raft-autopilot", "raft-quorum", "raft-dead-peers"} {
		want(t, good, id, harden.Inapplicable)
	}
}

// byProduct returns what is expected of the server that the suite runs against.
func byProduct(b *bed, vault, bao harden.Status) harden.Status {
	if b.cluster.Server.Product == testbed.OpenBao {
		return bao
	}
	return vault
}

// freeAddress returns a loopback address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// TestBeforeHardening looks at a Vault whose root token is still kept.
func TestBeforeHardening(t *testing.T) {
	t.Parallel()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	// Nobody needs an administrator here.
	const everything, little = `'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'`, `'path "team/*" { capabilities = ["read"] }'`
	seed, _, _ := strings.Cut(strings.Replace(goodSeed(t.TempDir(), ""), everything, little, 1), "  exceptions:\n")
	p := inFiles(t, cluster, seed)
	if done := p.do(t, "verify"); done.Code != 1 || !strings.Contains(done.Stderr, "no server is active") {
		t.Errorf("of a new Vault: exit code %d\n%s", done.Code, done.Stderr)
	}
	p.must(t, 0, "run", "--until=unsealed")
	found := p.verify(t)
	want(t, found, "root-token-gone", harden.Fails)
	want(t, found, "own-login", harden.Fails)
	want(t, found, "cors", harden.Unknown)
	want(t, found, "tls-certificate", harden.Inapplicable)
	p.must(t, 0, "run")
	found = p.verify(t)
	want(t, found, "root-token-gone", harden.Holds)
	want(t, found, "own-login", harden.Holds)
	want(t, found, "tls-listeners", harden.Fails)
	want(t, found, "wildcard-policies", harden.Holds)
	want(t, found, "sudo-policies", harden.Holds)
}

// TestRaft takes a server of three away for good.
func TestRaft(t *testing.T) {
	t.Parallel()
	b := hardened(t, testbed.VaultOptions{Nodes: 3}, "", "--replica-patience=3m")
	b.call(t, http.MethodPut, "sys/storage/raft/autopilot/configuration", m{"server_stabilization_time": "1s", "cleanup_dead_servers": false})
	good := b.until(t, "a healthy cluster", func(found map[string]shown) bool {
		return found["raft-quorum"].Status == harden.Holds && found["raft-autopilot"].Status == harden.Holds
	})
	for _, id := range []string{"raft-autopilot", "raft-quorum", "raft-dead-peers", "version", "clock-skew"} {
		want(t, good, id, harden.Holds)
	}
	want(t, good, "mlock", byProduct(b, harden.Holds, harden.Inapplicable))
	b.login(t) // to know the active one
	var gone *testbed.VaultNode
	for _, node := range b.cluster.Nodes {
		if node != b.node {
			gone = node
		}
	}
	if err := gone.Kill(); err != nil {
		t.Fatal(err)
	}
	bad := b.until(t, "a dead peer", func(found map[string]shown) bool { return slices.Contains(found["raft-dead-peers"].Objects, gone.Name) })
	for _, id := range []string{"raft-autopilot", "raft-quorum"} {
		want(t, bad, id, harden.Fails)
	}
	want(t, bad, "open-endpoints", harden.Unknown) // one was not asked
}

// TestAutoUnsealed has another Vault for a seal.
func TestAutoUnsealed(t *testing.T) {
	t.Parallel()
	outer := testbed.VaultFor(t, testbed.VaultOptions{})
	keys, err := outer.Initialize(t.Context(), 1, 1)
	if err == nil {
		err = outer.Unseal(t.Context(), keys)
	}
	if err == nil {
		err = outer.Nodes[0].Call(t.Context(), http.MethodPut, "sys/mounts/transit", keys.RootToken, m{"type": "transit"}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, keys.RootToken)
	b := hardened(t, testbed.VaultOptions{Seal: fmt.Sprintf("seal \"transit\" {\n  address = %q\n  token = %q\n  key_name = \"unseal\"\n  mount_path = \"transit/\"\n}",
		outer.Nodes[0].Addr, keys.RootToken)}, "")
	found := b.verify(t)
	want(t, found, "seal-type", harden.Holds)
	want(t, found, "rekey-idle", harden.Holds)
	b.call(t, http.MethodPut, "sys/rekey-recovery-key/init", m{"secret_shares": 3, "secret_threshold": 2})
	want(t, b.verify(t), "rekey-idle", harden.Fails)
}

// TestWhatMayNotBeSeen narrows our policy: what it no longer grants is unknown, and
// says how to allow it.
func TestWhatMayNotBeSeen(t *testing.T) {
	t.Parallel()
	b := hardened(t, testbed.VaultOptions{}, "")
	data, _ := b.call(t, http.MethodGet, "sys/policies/acl/vault-bootstrap", nil)["data"].(m)
	text, _ := data["policy"].(string)
	narrow := strings.NewReplacer("path \"sys/config/cors\"", "path \"sys/none\"", "path \"sys/loggers\"", "path \"sys/no\"").Replace(text)
	b.call(t, http.MethodPut, "sys/policies/acl/vault-bootstrap", m{"policy": narrow})
	found := b.verify(t)
	for _, id := range []string{"cors", "log-level"} {
		want(t, found, id, harden.Unknown)
		if !strings.Contains(found[id].Seen, "seed policy") {
			t.Errorf("%s does not say how to allow it: %s", id, found[id].Seen)
		}
	}
	want(t, found, "audit-device", harden.Holds)
	// A required control that nobody can see stops a run, too, before it writes.
	done := b.must(t, 70, "run", "--seed="+write(t, filepath.Join(t.TempDir(), "seed.yaml"), strings.Replace(goodSeed(b.dir, ""), "harden:\n", "harden:\n  require: [cors]\n", 1)))
	if !strings.Contains(done.Stderr, "sys/config/cors") {
		t.Errorf("run does not name what is missing:\n%s", done.Stderr)
	}
}
