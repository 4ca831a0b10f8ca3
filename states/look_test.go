package states

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault/vaulttest"
)

// lookable is a hardened Vault, with one policy in the seed.
func lookable(t *testing.T) *site {
	t.Helper()
	s := opened(t, func(c *Config) {
		c.Desired = desiredOf(t, c.Access.Methods[0], Declaration{Objects: []object.Object{object.Policy("app", "x")}, Rules: harden.DefaultRules(harden.Base)})
	})
	delete(s.server.Tokens, "root")
	s.store.keys.Root = nil
	s.store.keys.AppRole = &store.AppRole{RoleID: "id", SecretID: secret.New("sid")}
	s.server.Data["auth/approle/role/vb/custom-secret-id"] = map[string]any{"secret_id": "sid"}
	s.server.Data["sys/policies/acl/app"] = map[string]any{"policy": "x"}
	s.server.Data["sys/audit"] = map[string]any{}
	return s
}

func TestLook(t *testing.T) {
	s := lookable(t)
	look, err := s.Look(t.Context())
	if err != nil || look.Observation.Trouble != nil {
		t.Fatalf("looked with %v, %v", err, look.Observation.Trouble)
	}
	if state, err := fsm.Locate(*look.Observed()); state != fsm.Hardened || err != nil {
		t.Errorf("it is %q, %v", state, err)
	}
	if s.Health(t.Context())[0].Health != fsm.Active {
		t.Error("its health is not active")
	}
	// The token of the kept login expires, and the look logs in again.
	s.LetGo()
	clear(s.server.Tokens)
	if look, err = s.Look(t.Context()); err != nil || look.Observation.Trouble != nil || s.server.Tokens["own"] == nil {
		t.Errorf("looked again with %v, %v", err, look.Observation.Trouble)
	}
	s.store.keys.Set.ClusterID = "c2"
	if look, err = s.Look(t.Context()); err != nil || look.Observation.Login != fsm.LoginNotTried {
		t.Errorf("something was sent to a server of another cluster: %v", err)
	}
}

func TestPlan(t *testing.T) {
	s := lookable(t)
	s.server.Data["sys/policies/acl/app"] = nil
	plan, err := NewPlanner(Sources{Setting: s.setting, Cluster: s.admin.Cluster, Records: s.store, Access: s.Access(), Desired: s.observer.desired}).
		Plan(t.Context(), Reading{Role: s.Access()}, Memory{Keys: s.store.keys})
	if err != nil || len(plan.Changes) == 0 || len(s.server.Requests) > 0 && !strings.Contains(s.server.Requests[0], "revoke-self") {
		t.Errorf("planned %+v, %v; sent %q", plan, err, s.server.Requests)
	}
	if _, err := (&Planner{s.observer}).Plan(t.Context(), Reading{Token: secret.New("nobody's")}, Memory{}); fault.KindOf(err) != fault.Usage {
		t.Errorf("with a token that may not read: %v", err)
	}
	s.store.keys.AppRole = nil
	plan, err = (&Planner{s.observer}).Plan(t.Context(), Reading{Role: s.Access()}, Memory{Keys: s.store.keys})
	if fault.NameOf(err) != fsm.NameLockedOut || plan == nil || plan.NotCompared == "" {
		t.Errorf("without a credential: %+v, %v", plan, err)
	}
}

// TestRightAnswer finds the answer whose root token works here.
func TestRightAnswer(t *testing.T) {
	s := opened(t)
	s.server.Tokens["other root"] = &vaulttest.Token{Accessor: "of other", Policies: []string{"root"}}
	delete(s.server.Tokens, "root")
	pair, err := pgp.Generate("other", s.clock)
	if err != nil {
		t.Fatal(err)
	}
	message, err := pgp.Encrypt(pair.Public, "other root")
	if err != nil {
		t.Fatal(err)
	}
	s.store.keys.Set.ClusterID = ""
	s.store.keys.Past = []store.Attempt{{ID: "p", PrivateKey: pair.Private, Status: store.AttemptStored, Answer: &store.Answer{Root: message, Threshold: 1, Recovery: true}}}
	look := s.withRoot(t)
	if look.Unsettled.Opens != "p" {
		t.Fatalf("unsettled is %+v", look.Unsettled)
	}
	if changed, err := s.Settle(t.Context(), look); err != nil || !changed || s.store.keys.Set.Attempt != "p" || s.store.keys.Root.Token.Reveal() != "other root" {
		t.Errorf("in force is %+v, %v", s.store.keys.Set, err)
	}
}

// TestCustody has custodians hold the shares: then a run cannot unseal.
func TestCustody(t *testing.T) {
	var owners []pgp.Public
	for _, name := range []string{"alice", "bob", "carol"} {
		pair, err := pgp.Generate(name, newSite(t).clock)
		if err != nil {
			t.Fatal(err)
		}
		owners = append(owners, pgp.Public{Owner: name, Key: pair.Public, Fingerprint: pair.Fingerprint})
	}
	s := newSite(t, func(c *Config) { c.Split.Custodians = owners })
	s.initialized(t)
	if set := s.store.keys.Set; len(set.Shares) > 0 || len(set.Custody) != 3 || set.Custody[1].Owner != "bob" {
		t.Fatalf("stored is %+v", set)
	}
	look := s.outside(t)
	if look.Observation.Custodians == nil || look.Observation.CanUnseal() {
		t.Errorf("nobody is asked to unseal: %+v", look.Observation)
	}
	if err := s.Acts()[fsm.Unseal](t.Context(), look); fault.KindOf(err) != fault.Terminal || !strings.Contains(err.Error(), "alice, bob, carol") {
		t.Errorf("unsealing: %v", err)
	}
}

// TestWasOpen reads a history back to the latest initialization.
func TestWasOpen(t *testing.T) {
	for name, test := range map[string]struct {
		history []store.Transition
		want    bool
	}{
		"never":                     {[]store.Transition{{Event: "initialize", To: "initialized"}}, false},
		"since it was initialized":  {[]store.Transition{{Event: "initialize", To: "initialized"}, {Event: "unseal", To: "unsealed"}, {Event: "seal", To: "initialized"}}, true},
		"before it was initialized": {[]store.Transition{{Event: "unseal", To: "unsealed"}, {Event: "initialize", To: "initialized"}}, false},
	} {
		if got := wasOpen(test.history); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestMaker says who may still bring the keys.
func TestMaker(t *testing.T) {
	s := newSite(t)
	s.replica.code = http.StatusServiceUnavailable
	s.attemptOf("other/uid/1", "")
	if look := s.outside(t); look.Observation.Maker.Grace == 0 || look.Observation.Keys != fsm.OpenIntent {
		t.Errorf("another machine's: %+v", look.Observation)
	}
	s.attemptOf("me", "")
	if look := s.outside(t); look.Observation.Maker.Grace != 0 {
		t.Errorf("our own: %+v", look.Observation.Maker)
	}
	if err := s.resetting.makerIsGone(context.Background(), store.Attempt{ID: "unseen", Holder: "other"}); err != nil {
		t.Errorf("one that nobody has seen: %v", err)
	}
}

func (s *site) attemptOf(holder, pod string) {
	s.store.keys.Attempt = &store.Attempt{ID: holder, Holder: holder, Pod: pod, Status: store.AttemptOpen, PrivateKey: secret.New("k")}
}
