package states

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// keylessSite is a Vault whose keys are not ours.
func keylessSite(t *testing.T, given *GivenToken) *site {
	t.Helper()
	return newSite(t, func(c *Config) { c.Setting.Keyless, c.Given = true, given })
}

// TestKeyless neither initializes nor unseals, also where something should ask for it.
func TestKeyless(t *testing.T) {
	s := keylessSite(t, nil)
	look := s.outside(t)
	if look.Observation.Keys != fsm.KeysElsewhere {
		t.Errorf("the keys are %v", look.Observation.Keys)
	}
	for _, event := range []fsm.Event{fsm.Initialize, fsm.Unseal} {
		if err := s.Acts()[event](t.Context(), look); err == nil || !strings.Contains(err.Error(), "not ours") {
			t.Errorf("%s: %v", event, err)
		}
	}
	s.replica.code = 503
	look = s.outside(t)
	if err := s.Tend(t.Context(), look); err != nil || len(s.replica.given) > 0 || look.Observation.CanUnseal() {
		t.Errorf("tended a sealed replica: %v", err)
	}
	if len(s.replica.requests) > 0 || s.store.keys.Attempt != nil {
		t.Error("it was initialized")
	}
}

// TestRefuseKeys names all that a record may hold that opens a Vault.
func TestRefuseKeys(t *testing.T) {
	if err := RefuseKeys(store.Keys{Epoch: 3, HashKey: secret.New("h")}); err != nil {
		t.Errorf("an epoch and a key of hashes: %v", err)
	}
	for says, keys := range map[string]store.Keys{
		"a set of keys":                   {Set: &store.KeySet{}},
		"sets of keys that were put away": {Old: map[string]store.KeySet{"2026-01-01": {}}},
		"an attempt to initialize":        {Past: []store.Attempt{{ID: "a"}}},
		"a root token":                    {Root: &store.Root{}},
		"a break-glass":                   {RootGrant: &store.RootGrant{}},
		"a rotation of keys":              {Rotation: &store.Rotation{}},
		"the secret ID of an AppRole":     {AppRole: &store.AppRole{}},
	} {
		if err := RefuseKeys(keys); fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	s := keylessSite(t, nil)
	s.store.keys.Set = &store.KeySet{}
	if _, err := s.LookOutside(t.Context()); fault.KindOf(err) != fault.Usage {
		t.Errorf("a look: %v", err)
	}
}

// TestPolicyWithoutKeys has our login revoke nobody's token where none is ours.
func TestPolicyWithoutKeys(t *testing.T) {
	for keyless, want := range map[bool]bool{false: true, true: false} {
		desired, err := NewDesired("vb", nil, Declaration{Keyless: keyless})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(desired.PolicyText(false), "auth/token/revoke-accessor"); got != want {
			t.Errorf("keyless %v: the policy revokes by accessor: %v", keyless, got)
		}
	}
}
