package harden_test

import (
	"slices"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

func TestControls(t *testing.T) {
	good := harden.Facts{LoginWorks: true, AuditDevices: []string{"file/", "socket/"}}
	if failed := append(harden.Failed(harden.Check(good), true), harden.Failed(harden.Check(good), false)...); len(failed) > 0 {
		t.Errorf("a good Vault fails %v", ids(failed))
	}
	for name, test := range map[string]struct {
		spoil    func(f *harden.Facts)
		required bool
		want     []string
	}{
		"root token kept":  {func(f *harden.Facts) { f.RootStored = true }, true, []string{"root-token-gone"}},
		"no login":         {func(f *harden.Facts) { f.LoginWorks = false }, true, []string{"own-login"}},
		"no audit device":  {func(f *harden.Facts) { f.AuditDevices = nil }, false, []string{"audit-device", "second-audit-device"}},
		"one audit device": {func(f *harden.Facts) { f.AuditDevices = f.AuditDevices[:1] }, false, []string{"second-audit-device"}},
	} {
		t.Run(name, func(t *testing.T) {
			facts := good
			test.spoil(&facts)
			results := harden.Check(facts)
			if got := ids(harden.Failed(results, test.required)); !slices.Equal(got, test.want) {
				t.Errorf("failed %v, want %v", got, test.want)
			}
			if other := harden.Failed(results, !test.required); len(other) > 0 {
				t.Errorf("also failed %v", ids(other))
			}
		})
	}
}

func TestControlsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, control := range harden.Controls() {
		if control.ID == "" || control.Name == "" || control.Why == "" || control.Remedy == "" || control.Check == nil {
			t.Errorf("%+v lacks something", control.ID)
		}
		if seen[control.ID] {
			t.Errorf("%s is there twice", control.ID)
		}
		seen[control.ID] = true
	}
}

func ids(results []harden.Result) []string {
	var list []string
	for _, result := range results {
		list = append(list, result.ID)
	}
	return list
}
