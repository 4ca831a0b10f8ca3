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
		})
	}
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
