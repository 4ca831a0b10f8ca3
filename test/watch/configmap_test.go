package watch

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// volume is a directory as the kubelet mounts a ConfigMap: the names lead through the
// link '..data' to a directory of that version.
type volume struct {
	t        *testing.T
	dir      string
	versions int
}

func (v *volume) link(target, name string) {
	v.t.Helper()
	if err := os.Symlink(target, filepath.Join(v.dir, name)); err != nil {
		v.t.Fatal(err)
	}
}

// publish makes a new version and swaps the link, then removes the version before, in the
// kubelet's order.
func (v *volume) publish(seed string) {
	v.t.Helper()
	last := fmt.Sprintf("..2026_11_25_%d", v.versions)
	v.versions++
	version := fmt.Sprintf("..2026_11_25_%d", v.versions)
	if err := os.Mkdir(filepath.Join(v.dir, version), 0o700); err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(v.dir, version, "seed.yaml"), []byte(seed), 0o600); err != nil {
		v.t.Fatal(err)
	}
	v.link(version, "..data_tmp")
	if err := os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")); err != nil {
		v.t.Fatal(err)
	}
	if v.versions == 1 {
		v.link("..data/seed.yaml", "seed.yaml")
	}
	if err := os.RemoveAll(filepath.Join(v.dir, last)); err != nil {
		v.t.Fatal(err)
	}
}

// TestConfigMap has the kubelet's swap bring a changed seed, in a directory as the chart
// mounts it.
func TestConfigMap(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	in := install(t, cluster)
	mount := &volume{t: t, dir: t.TempDir()}
	mount.publish(in.text())
	in.walk = []string{"--seed=" + mount.dir}
	// Drift is not looked for meanwhile: only the change can be what is seen.
	w := in.watch("--interval=10m")
	w.shows(`vault_bootstrap_state{state="hardened"}`, 1)
	root := in.root()
	if err := in.call(http.MethodGet, "sys/policies/acl/later", root, nil, nil); err == nil {
		t.Fatal("the policy is there already")
	}
	mount.publish(strings.Replace(in.text(), "\nsecrets:", anotherPolicy+"secrets:", 1))
	in.comes(t, "sys/policies/acl/later", root)
	w.Says("the seed's files have changed", 1)
	w.shows(`vault_bootstrap_plan_changes`, 0)
	w.Terminates()
}
