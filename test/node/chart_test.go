package node

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const chartPath = "manifests/chart/vault-bootstrap"

// chartValues are those of a release beside plainVault, with these policies.
func chartValues(mode string, policies ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "mode: %s\nvault: {scheme: http}\nseed:\n  files:\n    seed.yaml: |\n", mode)
	for line := range strings.Lines(strings.TrimSpace(auditToStdout)) {
		b.WriteString("      " + line)
	}
	b.WriteString("\n      policies:\n")
	for _, name := range policies {
		fmt.Fprintf(&b, "        - name: %s\n          rules: 'path \"secret/data/%s\" { capabilities = [\"read\"] }'\n", name, name)
	}
	return b.String()
}

// release runs helm on the release of the chart.
func (s *site) release(verb, values string, flags ...string) {
	s.t.Helper()
	args := append([]string{verb, "bootstrap", shipped(chartPath), "--timeout=4m"}, flags...)
	began := time.Now()
	s.helm(append(args, s.valueFiles(values)...)...)
	s.t.Logf("helm %s %v: %s", verb, flags, time.Since(began).Round(100*time.Millisecond))
}

// TestChart installs the chart beside a sealed Vault of another release, in the modes
// that end, with the flags that make Helm wait; and changes the seed, uninstalls it,
// installs it again, and runs it once more by hand.
func TestChart(t *testing.T) {
	for mode, flags := range map[string][]string{
		"hook": {"--wait"},
		"job":  {"--wait", "--wait-for-jobs"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.installVault(plainVault())
			began := time.Now()
			s.release("install", chartValues(mode, "first"), flags...)
			s.printSteps("mode "+mode, began, time.Now())
			s.wantHardened(3)
			if got := s.checkpoint().events(); !slices.Equal(got, everything) {
				t.Errorf("the events were %v, want %v", got, everything)
			}

			before := len(s.written(3))
			s.release("upgrade", chartValues(mode, "first", "second"), flags...)
			s.wantHardened(3)
			if got, want := s.written(3)[before:], []string{"update sys/policies/acl/second"}; !onlyOurs(got, want) {
				t.Errorf("the changed seed wrote %v, want %v", got, want)
			}

			s.helm("uninstall", "bootstrap", "--wait")
			s.kubectl("get", "secret", "vault-bootstrap-keys")
			before = len(s.written(3))
			s.release("install", chartValues(mode, "first", "second"), flags...)
			if got := s.written(3)[before:]; len(got) > 0 {
				t.Errorf("installed again, it wrote %v", got)
			}

			before = len(s.written(3))
			s.kubectl("create", "job", "--from=cronjob/vault-bootstrap", "again")
			s.jobDone("again")
			if got := s.did(s.kubectl("logs", "job/again")); len(got) > 0 {
				t.Errorf("run again, it did %v", got)
			}
			if got := s.written(3)[before:]; len(got) > 0 {
				t.Errorf("run again, it wrote %v", got)
			}
		})
	}
}

// onlyOurs says whether the writes are these, apart from those to our own policy,
// which covers what the seed has.
func onlyOurs(got, want []string) bool {
	got = slices.DeleteFunc(slices.Clone(got), func(write string) bool {
		return strings.HasSuffix(write, "sys/policies/acl/vault-bootstrap")
	})
	return slices.Equal(got, want)
}

// wantHardened checks that Vault is hardened by our records, and open to its users.
func (s *site) wantHardened(replicas int) {
	s.t.Helper()
	if got, want := s.state(), "hardened"; got != want {
		s.t.Errorf("the Lease says %q, want %q", got, want)
	}
	s.wantUnsealed(time.Minute, replicas)
	s.kubectl("wait", "pods", "-l", vaultPods, "--for=condition=Ready", "--timeout=180s")
}

// TestUmbrella has both charts in one release, which Helm waits for: mode 'job' does
// not wait behind the sealed Vault, and Vault is not ready before it is unsealed.
func TestUmbrella(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir := t.TempDir()
	for name, path := range map[string]string{"vault": "testdata/vault", "vault-bootstrap": shipped(chartPath)} {
		if err := os.CopyFS(filepath.Join(dir, "charts", name), os.DirFS(path)); err != nil {
			t.Fatal(err)
		}
	}
	chart := "apiVersion: v2\nname: umbrella\nversion: 0.1.0\n"
	if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte(chart), 0o600); err != nil {
		t.Fatal(err)
	}
	// Helm's default does not wait for a StatefulSet that is updated by deletion.
	s.helm(append([]string{"install", "vault", dir, "--wait", "--wait-for-jobs", "--timeout=4m"}, s.valueFiles(
		"vault:\n"+indent(restrictedVault),
		"vault:\n"+indent(plainVault()),
		"vault: {server: {updateStrategyType: RollingUpdate}}",
		"vault-bootstrap:\n"+indent(chartValues("job", "first")),
	)...)...)
	s.wantHardened(3)
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}
