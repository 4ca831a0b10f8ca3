package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestLooksWriteNothing holds, by the audit logs of Vault and of the API server, that the
// verbs which look leave logins, their revocations and reads only.
func TestLooksWriteNothing(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	p, namespace, auditLog := inKubernetes(t, cluster)
	p.must(0, "run")
	_, before := driver.AuditFor(t, auditLog, 0)
	began := time.Now()

	seed := p.flags[slices.IndexFunc(p.flags, func(flag string) bool { return strings.HasPrefix(flag, "--seed=") })]
	login := p.flags[slices.IndexFunc(p.flags, func(flag string) bool { return strings.HasPrefix(flag, "--login-token-file=") })]
	p.must(0, "status")
	p.must(0, "plan", seed, login, "--detailed-exitcode")
	if r := p.run("verify", seed, login); r.Code != 0 && r.Code != 3 {
		t.Errorf("verify exited with %d\n%s", r.Code, r)
	}
	p.must(0, "wait", "--for=hardened")
	watch := p.start("watch", "--interval=2s", "--health-interval=500ms")
	within(t, time.Minute, "some looks of an idle watch", func() bool { return time.Since(began) > 15*time.Second })
	watch.Send(sigterm)
	if r := watch.Wait(); r.Code != 0 {
		t.Errorf("the watch exited with %d\n%s", r.Code, r)
	}

	entries, _ := driver.AuditFor(t, auditLog, before)
	if len(entries) == 0 {
		t.Fatal("Vault's audit log shows nothing: nothing is shown")
	}
	if found := writes(entries); len(found) > 0 {
		t.Errorf("in Vault they wrote: %v", found)
	}
	user := "system:serviceaccount:" + namespace + ":vault-bootstrap"
	looked := 0
	requests, err := kubernetes(t).Requests(user, began, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range requests {
		looked++
		switch {
		case slices.Contains([]string{"get", "list", "watch"}, request.Verb):
		// Questions about ourselves, which Kubernetes has one create.
		case slices.Contains([]string{"selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"}, request.ObjectRef.Resource):
		case request.ObjectRef.Resource == "leases" && strings.HasSuffix(request.ObjectRef.Name, "-watch"): // who leads
		case request.DryRun(): // the preflight rehearses
		default:
			t.Errorf("in Kubernetes they wrote: %s %s/%s", request.Verb, request.ObjectRef.Resource, request.ObjectRef.Name)
		}
	}
	if looked == 0 {
		t.Error("the API server's audit log shows nothing")
	}
}
