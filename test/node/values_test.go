package node

import (
	"strings"
	"testing"
	"time"
)

// TestRollback changes a policy by an upgrade, and takes that back: Vault has what the former
// release said, without anybody's doing.
func TestRollback(t *testing.T) {
	for mode, flags := range map[string][]string{"hook": {"--wait"}, "job": {"--wait", "--wait-for-jobs"}} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.installVault(plainVault())
			former := chartValues(mode, "first")
			s.release("install", former, flags...)
			s.release("upgrade", strings.ReplaceAll(former, `["read"]`, `["read", "list"]`), flags...)
			before := len(s.written(3))
			s.helm(append([]string{"rollback", "bootstrap", "1", "--timeout=4m"}, flags...)...)
			if got, want := s.written(3)[before:], []string{"update sys/policies/acl/first"}; !onlyOurs(got, want) {
				t.Errorf("the rollback wrote %v, want %v", got, want)
			}
			s.wantHardened(3)
			s.upgradeFails(former, flags)
		})
	}
}

// unattainable requires a control that no Vault without TLS meets.
const unattainable = "      harden: {require: [tls-listeners]}\n"

// upgradeFails upgrades to a seed that is applied and whose Job fails all the same, since it
// requires too much. Helm goes back by itself, and Vault has the former seed again.
func (s *site) upgradeFails(former string, flags []string) {
	s.t.Helper()
	before := len(s.written(3))
	newer := strings.ReplaceAll(former, `["read"]`, `["read", "list"]`) + unattainable
	args := append([]string{"upgrade", "bootstrap", shipped(chartPath), "-n", s.namespace, "--timeout=4m", "--rollback-on-failure"}, flags...)
	out, err := cluster.Helm(s.t.Context(), append(args, s.valueFiles(newer)...)...)
	if err == nil || !strings.Contains(err.Error(), "rolled back") {
		s.t.Errorf("the upgrade ends with %v\n%s", err, out)
	}
	const change = "update sys/policies/acl/first"
	if got, want := s.written(3)[before:], []string{change, change}; !onlyOurs(got, want) {
		s.t.Errorf("the upgrade and the way back wrote %v, want %v", got, want)
	}
	if rules := s.kubectl("get", "configmap", "vault-bootstrap-seed", "-o=jsonpath={.data.seed\\.yaml}"); strings.Contains(rules, "list") {
		s.t.Errorf("the seed of the cluster is %s", rules)
	}
	s.wantHardened(3)
}

// TestWatchMayNotWatch has a watch without the rights to watch: it polls, leads and stays.
func TestWatchMayNotWatch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.installVault(plainVault())
	s.release("install", chartValues("watch", "first")+"\nrbac: {watch: false}\n", "--wait")
	s.until(2*time.Minute, "the Lease to say hardened", s.hardened)
	s.wantHardened(3)
	if holder := s.kubectl("get", "lease", "vault-bootstrap-watch", "-o=jsonpath={.spec.holderIdentity}"); holder == "" {
		t.Error("nobody leads")
	}
	for _, pod := range s.podsOf("app.kubernetes.io/component=watch") {
		for _, container := range pod.Status.ContainerStatuses {
			if container.RestartCount > 0 {
				t.Errorf("%s began again %d times: %+v", pod.Name, container.RestartCount, container.LastTerminationState)
			}
		}
	}
}
