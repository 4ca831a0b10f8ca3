package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// statefulSet stands for Vault: without a kubelet its pod is never ready, as a sealed
// Vault is not.
const statefulSet = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: vault}
spec:
  serviceName: vault-internal
  updateStrategy: {type: %s}
  selector: {matchLabels: {app: vault}}
  template:
    metadata: {labels: {app: vault}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 100, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: vault
          image: vault
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// umbrella makes a chart with a Vault and ours in it.
func umbrella(t *testing.T, updateStrategy string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "charts", "vault-bootstrap"), os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "templates"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"Chart.yaml":           "apiVersion: v2\nname: umbrella\nversion: 0.1.0\n",
		"templates/vault.yaml": fmt.Sprintf(statefulSet, updateStrategy),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestUmbrellaHookWaitsBehindVault shows the deadlock that docs/kubernetes.md and the NOTES
// warn of: Helm waits for Vault, and the hook that would open it does not come.
func TestUmbrellaHookWaitsBehindVault(t *testing.T) {
	s := newSite(t)
	_, err := s.helm("vault-bootstrap: {mode: hook}", "install", "rel", umbrella(t, "RollingUpdate"), "--wait", "--timeout=10s")
	if err == nil || !strings.Contains(err.Error(), "vault") {
		t.Errorf("helm ended with %v, want its time-out", err)
	}
	if jobs := s.jobs(); len(jobs) > 0 {
		t.Errorf("the hook ran: %v", jobs)
	}
}

// TestUmbrellaWithOnDelete has the update strategy of the official Vault chart, for which
// Helm does not wait: there the hook comes.
func TestUmbrellaWithOnDelete(t *testing.T) {
	s := newSite(t)
	s.during(func() { s.finish(s.admitted(runPods)) }, "vault-bootstrap: {mode: hook}", "install", "rel", umbrella(t, "OnDelete"), "--wait")
}

// TestUmbrellaJobDoesNotWait has a Vault that Helm waits for, and the Job beside it.
func TestUmbrellaJobDoesNotWait(t *testing.T) {
	s := newSite(t)
	began := func() {
		s.finish(s.admitted(runPods))
		s.open(s.admitted("app=vault"))
	}
	s.during(began, "vault-bootstrap: {mode: job}", "install", "rel", umbrella(t, "RollingUpdate"), "--wait", "--wait-for-jobs")
}
