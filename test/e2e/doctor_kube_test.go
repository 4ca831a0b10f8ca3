package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestDoctorInKubernetes breaks what records in Kubernetes need, and the login by a service account.
func TestDoctorInKubernetes(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, namespace, _ := inKubernetes(t, cluster)
	p.must(0, "run")
	wantWell(t, p)

	plane := kubernetes(t)
	config := func(token, in string) string {
		t.Helper()
		file, err := plane.KubeconfigFor(token, in)
		if err != nil {
			t.Fatal(err)
		}
		return "--kubeconfig=" + file
	}
	kubectl(t, "create", "serviceaccount", "stranger", "-n", namespace)
	away := filepath.Join(t.TempDir(), "away")
	write(t, away, strings.ReplaceAll(read(t, strings.TrimPrefix(config(tokenOf(t, namespace, "vault-bootstrap"), namespace), "--kubeconfig=")), plane.URL, "https://"+silent(t)))
	admin := config("not-a-token", namespace)
	strange := filepath.Join(t.TempDir(), "strange")
	write(t, strange, tokenOf(t, namespace, "stranger", "vault"))
	audience := filepath.Join(t.TempDir(), "audience")
	write(t, audience, tokenOf(t, namespace, "vault-bootstrap", "somebody"))

	p.examineAll(t, []broken{
		{name: "the API server is away", flags: []string{"--kubeconfig=" + away}, first: "store", code: 1, says: "refused", does: "Check that it runs"},
		{name: "the API server does not know us", flags: []string{admin}, first: "store", code: 1, says: "nauthorized", does: "credentials"},
		{name: "there is no kubeconfig", flags: []string{"--kubeconfig=/nowhere/config"}, first: "store", code: 64, says: "/nowhere/config", does: "--kubeconfig"},
		{name: "the namespace is not ours", flags: []string{"--namespace=default"}, first: "rights", code: 64, says: `namespace "default"`, does: "Role"},
		{name: "the service account has no rights", flags: []string{config(tokenOf(t, namespace, "stranger"), namespace)}, first: "rights", code: 64, says: "vault-bootstrap-keys", does: "Role"},
		{name: "the role is for another service account", flags: []string{"--login-token-file=" + strange}, first: "login", code: 70, says: "another service account", does: "break-glass run"},
		{name: "the token is for another audience", flags: []string{"--login-token-file=" + audience}, first: "login", code: 64, says: "audience", does: "--login-audience"},
		{name: "the token is not there", flags: []string{"--login-token-file=/nowhere/token"}, first: "login", code: 64, says: "/nowhere/token", does: "--login-token-file"},
	})

	t.Run("the namespace does not exist", func(t *testing.T) {
		in := &program{t: t, flags: append(driver.VaultFlags(cluster), "--kubeconfig="+plane.AdminKubeconfig, "--namespace=nowhere")}
		in.examine(t, broken{first: "store", code: 64, says: "nowhere", does: "kubectl get namespace"})
	})
	t.Run("a rule is missing", func(t *testing.T) {
		withoutRule(t, namespace, 2)
		p.examine(t, broken{first: "rights", code: 64, says: "leases", does: "Role"})
		withRules(t, namespace)
	})
	t.Run("a holder that is gone keeps others out", func(t *testing.T) {
		kubectl(t, "patch", "lease", "vault-bootstrap", "-n", namespace, "--type=merge",
			`-p={"spec":{"holderIdentity":"gone","leaseDurationSeconds":86400,"renewTime":"2026-01-01T00:00:00.000000Z"}}`)
		d := p.examine(t, broken{first: "lease", code: 75, says: `"gone"`, does: "delete the Lease"})
		if last := d.Checks[len(d.Checks)-1]; last.Status != "ok" {
			t.Errorf("the rest was not looked at: %+v", last)
		}
		kubectl(t, "patch", "lease", "vault-bootstrap", "-n", namespace, "--type=merge", `-p={"spec":{"leaseDurationSeconds":15}}`)
		p.examine(t, broken{})
	})
	t.Run("from a laptop", func(t *testing.T) {
		in := *p
		in.t, in.flags = t, append(driver.VaultFlags(cluster), "--kubeconfig="+plane.AdminKubeconfig, "--namespace="+namespace)
		d := in.examine(t, broken{})
		for _, each := range d.Checks {
			if left := each.Check == "login" || each.Check == "policy" || each.Check == "run"; left != (each.Status == "not checked") {
				t.Errorf("%s: %s %s", each.Check, each.Status, each.Text)
			}
		}
	})
	t.Run("the reviewer is not allowed", func(t *testing.T) {
		kubectl(t, "delete", "clusterrolebinding", namespace)
		p.examine(t, broken{first: "login", code: 70, says: "may not review tokens", does: "break-glass run"})
	})
}
