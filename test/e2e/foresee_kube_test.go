package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestForeseenInKubernetes has records that cannot be written, or not by us. 'plan' rehearses no
// write, so that it ends as if they could.
func TestForeseenInKubernetes(t *testing.T) {
	for name, test := range map[string]struct {
		hardened bool
		spoil    func(t *testing.T, namespace string)
		code     int
		blind    []string
	}{
		"permissions are missing": {false, func(t *testing.T, namespace string) {
			kubectl(t, "delete", "rolebindings", "--all", "-n", namespace)
		}, 64, nil},
		"keys being deleted": {false, func(t *testing.T, namespace string) {
			kubectl(t, "create", "secret", "generic", "vault-bootstrap-keys", "-n", namespace)
			keepKeys(t, namespace)
			kubectl(t, "delete", "secret", "vault-bootstrap-keys", "-n", namespace, "--wait=false")
		}, 70, []string{"plan"}},
		"immutable keys and nothing to do": {true, func(t *testing.T, namespace string) {
			kubectl(t, "patch", "secret", "vault-bootstrap-keys", "-n", namespace, "--type=merge", `-p={"immutable":true}`)
		}, 0, nil},
		"immutable keys and a changed seed": {true, func(t *testing.T, namespace string) {
			kubectl(t, "patch", "secret", "vault-bootstrap-keys", "-n", namespace, "--type=merge", `-p={"immutable":true}`)
		}, 70, []string{"plan"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := testbed.VaultFor(t, testbed.VaultOptions{TLS: true})
			p, namespace, _ := inKubernetes(t, cluster, shortLease...)
			b := &board{program: p, timeout: "20s"}
			var flags []string
			for _, flag := range p.flags {
				switch {
				case strings.HasPrefix(flag, "--seed="):
					b.seed = strings.TrimPrefix(flag, "--seed=")
				case strings.HasPrefix(flag, "--login"):
					b.shared = append(b.shared, flag)
				default:
					flags = append(flags, flag)
				}
			}
			p.flags = flags
			if test.hardened {
				p.must(0, "run", append([]string{"--seed=" + b.seed}, b.shared...)...)
			}
			test.spoil(t, namespace)
			if strings.HasSuffix(name, "changed seed") {
				changed := filepath.Join(t.TempDir(), "seed.yaml")
				write(t, changed, strings.Replace(read(t, b.seed), `["read"]`, `["read", "list"]`, 1))
				b.seed = changed
			}
			_, status, _ := b.agree(name, test.code, test.blind...)
			if e := foreseen(t, status); test.code != 0 && (e.Next.Error == nil || e.Next.Error.Remedy == "") {
				t.Errorf("the status has no remedy: %+v", e)
			}
		})
	}
}
