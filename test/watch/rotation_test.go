package watch

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// mounted is a directory with the certificates of a watch, which is swapped as the kubelet swaps a
// mounted Secret: by a symbolic link.
type mounted struct {
	t       *testing.T
	dir     string
	version int
}

func (m *mounted) path(name string) string { return filepath.Join(m.dir, "now", name) }

// holds replaces all files at once.
func (m *mounted) holds(files map[string][]string) {
	m.t.Helper()
	m.version++
	version := filepath.Join(m.dir, strings.Repeat("v", m.version))
	if err := os.Mkdir(version, 0o700); err != nil {
		m.t.Fatal(err)
	}
	for name, sources := range files {
		var content string
		for _, source := range sources {
			content += read(m.t, source)
		}
		if err := os.WriteFile(filepath.Join(version, name), []byte(content), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	next := filepath.Join(m.dir, "next")
	if err := os.Symlink(version, next); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(m.dir, "now")); err != nil {
		m.t.Fatal(err)
	}
}

func authority(t *testing.T, name string) *testbed.CA {
	t.Helper()
	ca, err := testbed.NewCA(t.TempDir(), name)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t *testing.T, ca *testbed.CA, name string) *testbed.Certificate {
	t.Helper()
	certificate, err := ca.Issue(testbed.CertRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// rotation is a Vault with TLS whose certificates come from a mounted directory, and the CAs before
// and after.
type rotation struct {
	*installation
	mounted
	next, clients *testbed.CA
}

const renewed = "the files of certificates and passwords have changed"

func rotationOf(t *testing.T, installed func(*testing.T, *testbed.VaultCluster) *installation) *rotation {
	t.Helper()
	cluster := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
	r := &rotation{installation: installed(t, cluster), mounted: mounted{t: t, dir: t.TempDir()}, next: authority(t, "next"), clients: authority(t, "clients")}
	first := issue(t, r.clients, "first")
	r.holds(map[string][]string{"ca.crt": {cluster.CAFile}, "tls.crt": {first.CertFile}, "tls.key": {first.KeyFile}})
	r.flags = append(r.flags[:2:2], "--ca-cert="+r.path("ca.crt"), "--client-cert="+r.path("tls.crt"), "--client-key="+r.path("tls.key"))
	return r
}

// rotate has Vault serve a certificate of another CA, which the watches come to trust before, and
// take a new certificate of their own with; afterwards they trust the former CA no longer.
func (r *rotation) rotate(client *testbed.Certificate, watches ...*process) {
	r.installation.t.Helper()
	t := r.installation.t
	node := r.cluster.Nodes[0]
	own := map[string][]string{"ca.crt": {r.cluster.CAFile, r.next.CertFile}, "tls.crt": {client.CertFile}, "tls.key": {client.KeyFile}}
	r.holds(own)
	for _, w := range watches {
		w.Says(renewed, 1)
	}
	if err := node.Present(issue(t, r.next, "server")); err != nil {
		t.Fatal(err)
	}
	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := opens(t, node)
	t.Logf("unsealed %s after it listened with the new certificate", took.Round(time.Millisecond))
	own["ca.crt"] = []string{r.next.CertFile}
	r.holds(own)
	for _, w := range watches {
		w.Says(renewed, 2)
	}
	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	took = opens(t, node)
	t.Logf("unsealed %s after it listened again, with the former CA trusted no longer", took.Round(time.Millisecond))
}

// TestRotation rotates everything that TLS is made of under a watch, which is not restarted and
// fails at nothing afterwards.
func TestRotation(t *testing.T) {
	t.Parallel()
	r := rotationOf(t, install)
	r.walk = append(r.walk, "--login=cert", "--login-ca="+r.clients.CertFile)
	w := r.watch()
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	root := r.root()
	renewedClient, err := r.clients.Issue(testbed.CertRequest{Name: "first", NotAfter: time.Now().Add(48 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	r.rotate(renewedClient, w)

	idle := func() float64 { n, _ := w.metric(`vault_bootstrap_rounds_total{result="idle"}`); return n }
	looks := func(more float64) {
		t.Helper()
		seen := idle()
		eventually(t, "looks that find nothing to do", 30*time.Second, func(context.Context) error {
			if idle() < seen+more {
				return errors.New("not yet")
			}
			return nil
		})
	}
	looks(1) // after the restart of the server
	failures := []string{`vault_bootstrap_api_errors_total{class="network",server="vault"}`, `vault_bootstrap_rounds_total{result="waiting"}`, `vault_bootstrap_rounds_total{result="usage"}`}
	before := map[string]float64{}
	for _, series := range failures {
		before[series], _ = w.metric(series)
	}
	// The login is made anew, over a new connection: with the new certificate of the client.
	if err := r.call(http.MethodPut, "sys/leases/revoke-prefix/auth/cert/login", root, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.call(http.MethodDelete, "sys/policies/acl/app", root, nil, nil); err != nil {
		t.Fatal(err)
	}
	r.comes(t, "sys/policies/acl/app", root)
	looks(2)
	for _, series := range failures {
		if after, _ := w.metric(series); after != before[series] {
			t.Errorf("%s was %v before the rotation was over, and is %v", series, before[series], after)
		}
	}
	if serial := renewedClient.X509.SerialNumber.String(); !strings.Contains(read(t, r.audit), serial) {
		t.Errorf("nobody has logged in with the new client certificate (%s)", serial)
	}

	t.Run("files that cannot be used", func(t *testing.T) {
		r.holds(map[string][]string{"ca.crt": {r.seed}, "tls.crt": {renewedClient.CertFile}, "tls.key": {renewedClient.KeyFile}})
		w.Says("the former certificates stay in use", 1)
		if err := r.call(http.MethodDelete, "sys/policies/acl/app", root, nil, nil); err != nil {
			t.Fatal(err)
		}
		r.comes(t, "sys/policies/acl/app", root)
	})
	w.Terminates()
}

// TestRotationUnderASidecar has nobody lead: the sidecar opens its own server all the same.
func TestRotationUnderASidecar(t *testing.T) {
	t.Parallel()
	r := rotationOf(t, func(t *testing.T, cluster *testbed.VaultCluster) *installation {
		in, _ := installInKubernetes(t, cluster)
		return in
	})
	patient := []string{"--lease-duration=90s", "--lease-renew-deadline=80s", "--own-replica=" + r.cluster.Nodes[0].Addr}
	leader := r.watch(patient...)
	leader.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	sidecar := r.watch(patient...)
	sidecar.Says("another watch leads", 1)
	leader.Kill()
	r.rotate(issue(t, r.clients, "second"), sidecar)
	if leads, _ := sidecar.metric("vault_bootstrap_leader"); leads != 0 {
		t.Error("it leads: nothing is shown")
	}
	sidecar.Terminates()
}
