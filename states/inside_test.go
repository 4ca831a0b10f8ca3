package states

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault/vaulttest"
)

// opened is an open Vault whose keys are stored, with a root token and the role of our login.
func opened(t *testing.T, change ...func(*Config)) *site {
	t.Helper()
	s := newSite(t, change...)
	s.initialized(t)
	if err := s.Acts()[fsm.Unseal](t.Context(), s.outside(t)); err != nil {
		t.Fatal(err)
	}
	s.server.Tokens["root"] = &vaulttest.Token{Accessor: "of root", Policies: []string{"root"}, Orphan: true}
	s.server.Data["auth/approle/role/vb/role-id"] = map[string]any{"role_id": "id"}
	s.server.Data["auth/approle/role/vb/custom-secret-id"] = map[string]any{}
	s.server.Data["sys/policies/acl/vb"] = map[string]any{"policy": `path "*" { capabilities = ["read"] }`}
	s.server.Logins["approle/login"] = func(credential map[string]any) string {
		if credential["secret_id"] != s.server.Data["auth/approle/role/vb/custom-secret-id"]["secret_id"] || credential["role_id"] != "id" {
			return ""
		}
		s.server.Tokens["own"] = &vaulttest.Token{Accessor: "of own", Policies: []string{"vb"}, Orphan: true}
		return "own"
	}
	return s
}

// withRoot is a look that has found the root token alive.
func (s *site) withRoot(t *testing.T) *Look {
	t.Helper()
	look := s.outside(t)
	if err := s.observer.lookAtRoot(t.Context(), s.server.Address, look); err != nil {
		t.Fatal(err)
	}
	return look
}

func TestLookAtRoot(t *testing.T) {
	s := opened(t)
	look := s.withRoot(t)
	if look.Observation.Root != fsm.LiveRoot || look.Unsettled.Accessor != "of root" || look.root.None() {
		t.Errorf("alive: %+v", look.Observation)
	}
	if _, err := s.Settle(t.Context(), look); err != nil || s.store.keys.Root.Accessor != "of root" {
		t.Errorf("recorded is %q, %v", s.store.keys.Root.Accessor, err)
	}
	delete(s.server.Tokens, "root")
	if look = s.withRoot(t); look.Observation.Root != fsm.DeadRoot || !look.root.None() {
		t.Errorf("dead: %+v", look.Observation)
	}
}

// TestHarden creates a credential for the login, proves the login, and revokes the root token.
func TestHarden(t *testing.T) {
	s := opened(t)
	if err := s.Acts()[fsm.Harden](t.Context(), s.withRoot(t)); err != nil {
		t.Fatal(err)
	}
	keys := s.store.keys
	if s.server.Tokens["root"] != nil || keys.Root != nil || keys.AppRole == nil || keys.Attempt.Answer != nil || !keys.Attempt.PrivateKey.Empty() {
		t.Errorf("alive are %v, on record is %+v", s.server.Tokens, keys)
	}
	if s.Access().Kept() == nil {
		t.Error("the login that was proven is not kept")
	}
	s.Close(t.Context())
	if len(s.server.Tokens) > 0 {
		t.Errorf("left are %v", s.server.Tokens)
	}
}

// TestHardenKeepsRoot revokes no root token while a later run could not do without it.
func TestHardenKeepsRoot(t *testing.T) {
	for name, spoil := range map[string]func(s *site){
		"nobody is let in":                func(s *site) { s.server.Logins["approle/login"] = func(map[string]any) string { return "" } },
		"the login may do too little":     func(s *site) { s.server.Capabilities = []string{"read"} },
		"its token ends with root":        func(s *site) { s.childToken(false, "service") },
		"its token cannot be revoked":     func(s *site) { s.childToken(true, "batch") },
		"another root token is on record": func(s *site) { s.store.keys.Root.Accessor = "of another" },
		"it still works when revoked":     func(s *site) { s.server.Tokens["root"].Survives = true },
	} {
		s := opened(t)
		spoil(s)
		if err := s.Acts()[fsm.Harden](t.Context(), s.withRoot(t)); err == nil || s.server.Tokens["root"] == nil || s.store.keys.Root == nil {
			t.Errorf("%s: %v, alive are %v", name, err, s.server.Tokens)
		}
	}
}

// childToken makes logins issue tokens of a kind.
func (s *site) childToken(orphan bool, kind string) {
	s.server.Logins["approle/login"] = func(map[string]any) string {
		s.server.Tokens["own"] = &vaulttest.Token{Accessor: "of own", Orphan: orphan, Type: kind}
		return "own"
	}
}

// TestUnmetControls names the controls that no run can repair.
func TestUnmetControls(t *testing.T) {
	s := opened(t)
	s.store.keys.Root = nil
	look := s.outside(t)
	look.Controls = []harden.Result{{Control: harden.Control{ID: "x", Name: "Something is wanted", Remedy: "mend it"}, Finding: harden.Finding{Status: harden.Fails, Seen: "It is not so", Value: "1 of 2 required"}, Required: true}}
	err := s.Acts()[fsm.Harden](t.Context(), look)
	if fault.NameOf(err) != "control fails" || !strings.Contains(err.Error(), "x: It is not so (1 of 2 required)") || fault.RemedyOf(err) != "mend it" {
		t.Errorf("ends with %v", err)
	}
	// The remedies of several would be a wall of text.
	look.Controls = append(look.Controls, look.Controls[0])
	look.Controls[1].ID, look.Controls[1].Remedy = "y", "mend that, too"
	err = s.Acts()[fsm.Harden](t.Context(), look)
	if !strings.Contains(err.Error(), "y: It is not so") || strings.Contains(fault.RemedyOf(err), "mend") || !strings.Contains(fault.RemedyOf(err), "'vault-bootstrap verify'") {
		t.Errorf("several end with %v: %s", err, fault.RemedyOf(err))
	}
}

func TestLookAtLogin(t *testing.T) {
	s := opened(t)
	look := s.outside(t)
	if _, _, err := s.observer.lookAtLogin(t.Context(), s.server.Address, look); err != nil || look.Observation.Login != fsm.LoginRefused {
		t.Errorf("without a credential: %v, %v", look.Observation.Login, err)
	}
	if works, answer, err := s.observer.ownLogin(t.Context(), s.server.Address, s.store.keys); works || answer == "" || err != nil {
		t.Errorf("works %v, %q, %v", works, answer, err)
	}
	s.server.Data["auth/approle/role/vb/custom-secret-id"] = map[string]any{"secret_id": "sid"}
	s.store.keys.AppRole = &store.AppRole{RoleID: "id", SecretID: secret.New("sid")}
	look = s.outside(t)
	view, fresh, err := s.observer.lookAtLogin(t.Context(), s.server.Address, look)
	if err != nil || !fresh || view.None() || look.Observation.Login != fsm.LoginWorks {
		t.Errorf("with one: %v, %v", look.Observation.Login, err)
	}
	s.server.Logins["approle/login"] = func(map[string]any) string { return "" }
	s.Access().Lapse()
	if _, _, err := OrLockedOut(s.Access())(t.Context(), s.server.Address, s.store.keys); fault.NameOf(err) != fsm.NameLockedOut {
		t.Errorf("locked out: %v", err)
	}
}

// TestSeed applies a missing policy, with a login that may write it.
func TestSeed(t *testing.T) {
	objects := []object.Object{object.Policy("app", `path "kv/*" { capabilities = ["read"] }`)}
	s := opened(t)
	desired := desiredOf(t, s.Access().Methods[0], Declaration{Objects: objects})
	s.Desire(desired)
	s.server.Data["sys/policies/acl/app"] = nil
	s.server.Data["auth/approle/role/vb/custom-secret-id"] = map[string]any{"secret_id": "sid"}
	s.store.keys.AppRole = &store.AppRole{RoleID: "id", SecretID: secret.New("sid")}
	s.store.keys.HashKey = secret.Value{}
	var announced store.Ownership
	s.store.saved = func() {
		if !slices.Contains(s.server.Requests, "PUT sys/policies/acl/app") {
			announced = s.store.checkpoint.Ledger["sys/policies/acl/app"]
		}
	}
	for _, want := range []fsm.PlanStatus{fsm.PlanChanges, fsm.PlanEmpty} {
		look := s.outside(t)
		view, _, err := s.observer.lookAtLogin(t.Context(), s.server.Address, look)
		if err != nil {
			t.Fatal(err)
		}
		look.seenBy = view
		if err := s.observer.lookAtSeed(t.Context(), view, look); err != nil {
			t.Fatal(err)
		}
		if look.Observation.Plan != want || look.Planned() != int(fsm.PlanEmpty-want) {
			t.Fatalf("planned are %d: %v", look.Planned(), look.Observation.Plan)
		}
		if want == fsm.PlanEmpty {
			break
		}
		if err := s.Acts()[fsm.Seed](t.Context(), look); err != nil {
			t.Fatal(err)
		}
	}
	if s.store.checkpoint.Ledger["sys/policies/acl/app"] != store.Created || s.store.keys.HashKey.Empty() {
		t.Errorf("on record is %+v", s.store.checkpoint.Ledger)
	}
	if announced != store.Intended {
		t.Errorf("before it was created, the ledger said %q", announced)
	}
	if !slices.Contains(s.server.Requests, "PUT sys/policies/acl/app") {
		t.Errorf("sent were %q", s.server.Requests)
	}
}

// TestSeedExceedsPolicy writes nothing if the login may not write all of it.
func TestSeedExceedsPolicy(t *testing.T) {
	s := opened(t)
	s.Desire(desiredOf(t, s.Access().Methods[0], Declaration{Objects: []object.Object{object.Policy("app", "")}}))
	s.server.Data["sys/policies/acl/app"] = nil
	s.server.Capabilities = []string{"read"}
	s.childToken(true, "service")
	s.store.keys.AppRole = &store.AppRole{}
	look := s.outside(t)
	view, _, err := s.observer.lookAtLogin(t.Context(), s.server.Address, look)
	if err != nil {
		t.Fatal(err)
	}
	err = s.observer.lookAtSeed(t.Context(), view, look)
	if fault.NameOf(err) != "seed exceeds policy" || !strings.Contains(fault.RemedyOf(err), "--login=approle") {
		t.Errorf("ends with %v", err)
	}
}

func TestLookAtRotation(t *testing.T) {
	s := opened(t)
	look := s.outside(t)
	look.StoredKeys.Rotation = &store.Rotation{ID: "r"}
	if err := s.observer.lookAtRotation(t.Context(), s.server.Address, look); err != nil || !look.Unsettled.Rotation {
		t.Errorf("unsettled %v, %v", look.Unsettled.Rotation, err)
	}
}

// TestSurroundings gathers what can be seen without a token.
func TestSurroundings(t *testing.T) {
	s := newSite(t)
	s.replica.code = http.StatusServiceUnavailable
	facts := s.observer.surroundings.newFacts(s.observer.desired, fsm.Replica{})
	s.observer.surroundings.look(t.Context(), []harden.Group{harden.GroupReplicas, harden.GroupSeal, harden.GroupKubernetes}, &facts)
	replicas, ok := facts.Replicas.Get()
	if !ok || len(replicas) != 1 || replicas[0].Trouble != "sealed" {
		t.Errorf("replicas: %+v", replicas)
	}
	if seal, ok := facts.Seal.Get(); !ok || seal.Type != "shamir" || !slices.Contains(facts.OwnPolicies, "vb") {
		t.Errorf("seal: %+v", seal)
	}
	for _, test := range []struct{ before, reported, after, want time.Duration }{
		{0, 0, time.Second, 0}, {0, 5 * time.Second, time.Second, 4 * time.Second}, {10 * time.Second, 0, 11 * time.Second, 9 * time.Second},
	} {
		at := func(d time.Duration) time.Time { return time.Unix(0, 0).Add(d) }
		if got := skew(at(test.before), at(test.reported), at(test.after)); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

// TestVerifyWithoutLogin reports why everything that takes a token is unknown.
func TestVerifyWithoutLogin(t *testing.T) {
	s := newSite(t)
	if _, err := s.observer.Verify(t.Context(), harden.Known(store.Keys{}), false); fault.KindOf(err) != fault.Transient {
		t.Errorf("without an active node: %v", err)
	}
	if _, err := (&Planner{s.observer}).Plan(t.Context(), Reading{Role: s.Access()}, Memory{}); fault.KindOf(err) != fault.Transient {
		t.Errorf("planning: %v", err)
	}
	s = opened(t)
	active, _ := s.outside(t).Observation.Replicas.Active()
	facts := s.observer.surroundings.newFacts(s.observer.desired, fsm.Replica{})
	if view := s.observer.viewToVerify(t.Context(), active, harden.Known(s.store.keys), &facts); !view.None() {
		t.Error("a login without a credential works")
	}
	if works, known := facts.Login.Get(); works || !known || facts.Audit.Why() == "" {
		t.Errorf("facts: %+v", facts.Login)
	}
	elsewhere := s.store.keys
	elsewhere.Set = &store.KeySet{ClusterID: "c2"}
	if view := s.observer.viewToVerify(t.Context(), active, harden.Known(elsewhere), &facts); !view.None() || !strings.Contains(facts.Login.Why(), "another cluster") {
		t.Errorf("facts of another cluster: %+v", facts.Login)
	}
	if view := s.observer.viewToVerify(t.Context(), active, harden.NotKnown[store.Keys]("no access"), &facts); !view.None() || facts.RootStored.Why() != "no access" {
		t.Errorf("facts without the records: %+v", facts.RootStored)
	}
}

// TestSettleKilledBreakGlass ends what a killed break-glass left behind, as a run finds it.
func TestSettleKilledBreakGlass(t *testing.T) {
	s := opened(t)
	s.server.Tokens["left"] = &vaulttest.Token{Accessor: "of left", Policies: []string{"root"}}
	s.store.keys.RootGrant = &store.RootGrant{ID: "g", Token: secret.New("left")}
	look := s.outside(t)
	look.Unsettled.BreakGlass = true
	if changed, err := s.Settle(t.Context(), look); err != nil || !changed || s.server.Tokens["left"] != nil || s.store.keys.RootGrant != nil {
		t.Errorf("settled %v, %v; alive are %v", changed, err, s.server.Tokens)
	}
}
