package kubestore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube/kubetest"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
)

func names(concerns []store.Concern) []string {
	var names []string
	for _, concern := range concerns {
		names = append(names, concern.Name)
	}
	return names
}

func TestPreflightNamesWhatIsMissing(t *testing.T) {
	server := kubetest.Start(t)
	server.Allow(func(_, verb, resource, _ string) bool { return verb != "patch" || resource != "leases" })
	err := open(t, server).Preflight(t.Context())
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), `patch leases "vb"`) || !strings.Contains(fault.RemedyOf(err), `verbs: ["patch"]`) {
		t.Errorf("got %v, %q", err, fault.RemedyOf(err))
	}
	deny(server, "selfsubjectaccessreviews")
	if err := open(t, server).Preflight(t.Context()); fault.KindOf(err) != fault.Usage || !strings.Contains(fault.RemedyOf(err), "system:basic-user") {
		t.Errorf("got %v, %q", err, fault.RemedyOf(err))
	}
}

// What prevents a write is known before Vault is touched.
func TestPreflightRehearses(t *testing.T) {
	for name, test := range map[string]struct {
		refuse func(kubetest.Request) *metav1.Status
		kind   fault.Kind
		says   string
	}{
		"a quota":    {func(r kubetest.Request) *metav1.Status { return kubetest.Forbidden(r, "exceeded quota: objects") }, fault.Usage, "exceeded quota"},
		"the end":    {kubetest.Terminating, fault.Terminal, "is being deleted"},
		"an outage":  {kubetest.Broken, fault.KindOf(errors.New("")), "etcd is away"},
		"no mercy":   {kubetest.Denied, fault.Usage, "cannot patch"},
		"everything": {nil, fault.Kind(0), ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, resource := range []string{"secrets", "leases"} {
				server := kubetest.Start(t)
				server.Refuse(func(r kubetest.Request) *metav1.Status {
					if test.refuse != nil && r.Resource == resource && r.Rehearsed {
						return test.refuse(r)
					}
					return nil
				})
				err := open(t, server).Preflight(t.Context())
				if test.refuse == nil {
					check(t, err)
					continue
				}
				if err == nil || fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%s: %v (%v)", resource, err, fault.KindOf(err))
				}
				if left := append(server.Names("secrets"), server.Names("leases")...); len(left) > 0 {
					t.Errorf("left are %q", left)
				}
			}
		})
	}
}

func TestConcerns(t *testing.T) {
	yes := true
	deleted := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	for name, test := range map[string]struct {
		spoil func(*corev1.Secret)
		want  string
	}{
		"immutable": {func(s *corev1.Secret) { s.Immutable = &yes }, store.RecordImmutable},
		"deleted":   {func(s *corev1.Secret) { s.DeletionTimestamp = &deleted; s.Finalizers = []string{"x/y"} }, store.RecordBeingDeleted},
		"owned":     {func(s *corev1.Secret) { s.OwnerReferences = []metav1.OwnerReference{{Kind: "Vault", Name: "v"}} }, store.RecordOwned},
	} {
		t.Run(name, func(t *testing.T) {
			server := kubetest.Start(t)
			records := open(t, server)
			revision, err := records.SaveKeys(t.Context(), store.Keys{Epoch: 1}, "")
			check(t, err)
			if concerns, err := open(t, server).Concerns(t.Context()); err != nil || len(concerns) > 0 {
				t.Errorf("before: %v, %v", concerns, err)
			}
			var kept corev1.Secret
			server.Get("secrets", keysSecret, &kept)
			test.spoil(&kept)
			server.Put("secrets", &kept)
			fresh := open(t, server)
			concerns, err := fresh.Concerns(t.Context())
			if err != nil || !slices.Equal(names(concerns), []string{test.want}) || concerns[0].Remedy == "" {
				t.Fatalf("got %+v, %v", concerns, err)
			}
			named(t, fresh.Preflight(t.Context()), test.want)
			_, err = records.SaveKeys(t.Context(), store.Keys{Epoch: 2}, revision)
			if !errors.Is(err, store.ErrConflict) {
				t.Errorf("at the revision before: %v", err)
			}
			keys, revision, err := records.Keys(t.Context())
			check(t, err)
			if keys.HashKey.Empty(); test.want == store.RecordImmutable {
				_, err = records.SaveKeys(t.Context(), keys, revision)
				if named(t, err, test.want); !errors.Is(err, store.ErrImmutable) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

// A store that has not read anything yet learns it from the server's refusal.
func TestImmutableIsLearntFromTheRefusal(t *testing.T) {
	server := kubetest.Start(t)
	yes := true
	immutable := secretWith(stateSecret, "state.json", `{"version":1}`)
	immutable.Immutable = &yes
	server.Put("secrets", immutable)
	var stored corev1.Secret
	server.Get("secrets", stateSecret, &stored)
	records := open(t, server)
	_, err := records.SaveCheckpoint(t.Context(), store.Checkpoint{State: "x"}, store.Revision(stored.ResourceVersion))
	named(t, err, store.RecordImmutable)
	if err := records.Preflight(t.Context()); !errors.Is(err, store.ErrImmutable) {
		t.Errorf("a preflight finds %v", err)
	}
}

func TestNamespaceBeingDeleted(t *testing.T) {
	server := kubetest.Start(t)
	server.Refuse(func(r kubetest.Request) *metav1.Status {
		if r.Verb == "create" && r.Resource == "events" {
			return kubetest.Terminating(r)
		}
		return nil
	})
	concerns, err := open(t, server).Concerns(t.Context())
	if err != nil || !slices.Equal(names(concerns), []string{store.NamespaceBeingDeleted}) {
		t.Errorf("got %v, %v", concerns, err)
	}
	named(t, store.Ready(t.Context(), open(t, server)), store.NamespaceBeingDeleted)
	server.Refuse(func(r kubetest.Request) *metav1.Status {
		if r.Verb == "apply" && !r.Rehearsed {
			return kubetest.Terminating(r)
		}
		return nil
	})
	_, err = open(t, server).SaveKeys(t.Context(), store.Keys{}, "")
	named(t, err, store.NamespaceBeingDeleted)
}

// Whoever may not read the keys judges what they may read, and an outage is not an answer.
func TestConcernsOfWhoMayNotRead(t *testing.T) {
	server := kubetest.Start(t)
	deny(server, "secrets")
	if concerns, err := open(t, server).Concerns(t.Context()); err != nil || len(concerns) > 0 {
		t.Errorf("got %v, %v", concerns, err)
	}
	for _, resource := range []string{"events", "secrets"} {
		server.Refuse(func(r kubetest.Request) *metav1.Status {
			if r.Resource == resource {
				return kubetest.Broken(r)
			}
			return nil
		})
		if _, err := open(t, server).Concerns(t.Context()); err == nil {
			t.Errorf("%s: an outage raises no error", resource)
		}
	}
}

// If the server is down, everything fails with an error that says so.
func TestServerAway(t *testing.T) {
	server := kubetest.Start(t)
	records := open(t, server)
	revision, err := records.SaveCheckpoint(t.Context(), store.Checkpoint{State: "x"}, "")
	check(t, err)
	server.Refuse(kubetest.Broken)
	calls := map[string]func() error{
		"keys":            func() error { return third(records.Keys(t.Context())) },
		"checkpoint":      func() error { return third(records.Checkpoint(t.Context())) },
		"save keys":       func() error { return second(records.SaveKeys(t.Context(), store.Keys{}, "")) },
		"save checkpoint": func() error { return second(records.SaveCheckpoint(t.Context(), store.Checkpoint{}, revision)) },
		"rehearse":        func() error { return records.Rehearse(t.Context(), store.Keys{}, "") },
		"preflight":       func() error { return records.Preflight(t.Context()) },
		"acquire":         func() error { return second(records.Acquire(t.Context(), options("a"))) },
		"follow":          func() error { return records.FollowCheckpoint(t.Context(), nil) },
	}
	for name, call := range calls {
		if err := call(); err == nil || !strings.Contains(err.Error(), "etcd is away") {
			t.Errorf("%s: %v", name, err)
		}
	}
	server.Stop()
	for name, call := range calls {
		if err := call(); err == nil || fault.KindOf(err) != fault.Transient {
			t.Errorf("%s, without a server: %v", name, err)
		}
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }

// The rules of the Role allow exactly what the store requests.
func TestRulesCoverTheRequests(t *testing.T) {
	server := kubetest.Start(t)
	records := open(t, server)
	held := acquire(t, records, "a")
	check(t, records.Preflight(t.Context()))
	revision, err := records.SaveKeys(t.Context(), store.Keys{Epoch: 1}, "")
	check(t, err)
	_, err = records.SaveKeys(t.Context(), store.Keys{Epoch: 2}, revision)
	check(t, err)
	check(t, held.Show(t.Context(), store.Mirror{State: "x"}))
	rules := kubestore.Rules("vb")
	verbs := map[string]string{"apply": "patch", "merge": "patch"}
	for _, r := range server.Requests() {
		if verbs[r.Verb] != "" {
			r.Verb = verbs[r.Verb]
		}
		granted := r.Resource == "selfsubjectaccessreviews" || slices.ContainsFunc(rules, func(rule kube.Rule) bool {
			return rule.Resource == r.Resource && (rule.Name == "" || rule.Name == r.Name) && slices.Contains(rule.Verbs, r.Verb)
		})
		if !granted {
			t.Errorf("no rule allows %s", r)
		}
	}
}
