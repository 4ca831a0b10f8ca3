package node

import (
	"slices"
	"testing"
	"time"
)

var everything = []string{"initialize", "unseal", "seed", "harden"}

// TestJob follows docs/kubernetes.md: a fresh Vault of three replicas, the shipped
// rules and the shipped Job, applied as they are; and again.
func TestJob(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.installVault(plainVault())
	s.kubectl("apply", "-f", shipped("manifests/rbac.yaml"))
	s.kubectl("apply", "-f", shipped("manifests/job.yaml"))
	s.jobDone("vault-bootstrap")
	if got := s.did(s.kubectl("logs", "job/vault-bootstrap")); !slices.Equal(got, everything) {
		t.Errorf("the first run did %v, want %v", got, everything)
	}
	if got, want := s.state(), "hardened"; got != want {
		t.Errorf("the Lease says %q, want %q", got, want)
	}
	s.wantUnsealed(time.Minute, 3)
	s.kubectl("wait", "pods", "-l", vaultPods, "--for=condition=Ready", "--timeout=180s")

	s.kubectl("replace", "--force", "-f", shipped("manifests/job.yaml"))
	s.jobDone("vault-bootstrap")
	logs := s.kubectl("logs", "job/vault-bootstrap")
	if got := s.did(logs); len(got) != 0 {
		t.Errorf("the rerun did %v, want nothing", got)
	}
	for _, pod := range s.podsOf("job-name=vault-bootstrap") {
		if ended := pod.Status.ContainerStatuses[0].State.Terminated; ended == nil || ended.ExitCode != 0 {
			t.Errorf("the pod %s has ended with %+v", pod.Name, ended)
		}
	}

	t.Run("a deleted replica is unsealed by the next run", func(t *testing.T) {
		s := s.in(t)
		s.kubectl("delete", "pod", "vault-1", "--grace-period=0", "--force")
		s.kubectl("replace", "--force", "-f", shipped("manifests/job.yaml"))
		s.jobDone("vault-bootstrap")
		s.wantUnsealed(time.Minute, 3)
	})
	t.Run("the keys outlive everything", func(t *testing.T) {
		s := s.in(t)
		before := s.kubectl("get", "secret", "vault-bootstrap-keys", "-o=jsonpath={.metadata.uid}")
		s.kubectl("delete", "-f", shipped("manifests/job.yaml"), "-f", shipped("manifests/rbac.yaml"))
		if after := s.kubectl("get", "secret", "vault-bootstrap-keys", "-o=jsonpath={.metadata.uid}"); after != before || after == "" {
			t.Errorf("the Secret was %q and is %q", before, after)
		}
	})
}

// TestJobWithServiceRecords finds the replicas by the headless Service, in CoreDNS,
// and joins replicas that know of no other.
func TestJobWithServiceRecords(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.installVault(raftVault("tls_disable = 1"))
	s.kubectl("apply", "-f", shipped("manifests/rbac.yaml"))
	job := s.job()
	reachBy(job, "--vault-service=vault-internal", "--vault-scheme=http", "--replicas=3")
	s.create(job)
	s.jobDone(job.Name)
	s.wantUnsealed(time.Minute, 3)
	for _, event := range everything {
		if got := s.checkpoint().events(); !slices.Contains(got, event) {
			t.Errorf("the history %v lacks %q", got, event)
		}
	}
}
