package policy

import "testing"

// TestOverlap compares the paths of rules that may hold wildcards.
func TestOverlap(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"sys/raw/core", "sys/raw*", true}, {"sys/rawer", "sys/raw*", true}, {"sys/ra*", "sys/raw*", true}, {"sys/*", "sys/raw*", true},
		{"*", "sys/seal", true}, {"+/seal", "sys/seal", true}, {"sys/+", "sys/seal", true}, {"sys/+/x", "sys/seal", false},
		{"sys/seal", "sys/seal", true}, {"sys/seal-status", "sys/seal", false}, {"sys/seals", "sys/seal*", true},
		{"sys/rotate", "sys/rotate*", true}, {"sys/rotate/+", "sys/rotate*", true}, {"sys/mounts/x", "sys/rotate*", false},
		{"auth/+/role/+", "auth/k/role/vb", true}, {"auth/+/role/+", "auth/k/role/vb/*", false}, {"auth/k/role/vb/secret-id", "auth/k/role/vb/*", true},
		{"auth/k/role/app", "auth/k/role/vb", false}, {"auth/+/role/*", "auth/k/role/vb/*", true}, {"a/b", "a", false}, {"a", "a/b", false},
	} {
		if got := overlap(test.a, test.b); got != test.want {
			t.Errorf("%s and %s: %v", test.a, test.b, got)
		}
		if got := overlap(test.b, test.a); got != test.want {
			t.Errorf("%s and %s: %v", test.b, test.a, got)
		}
	}
}

// TestCeilingForbids tries spellings of what no policy made from a seed names.
func TestCeilingForbids(t *testing.T) {
	c := Ceiling{own: []string{"sys/policies/acl/vb", "auth/k/role/vb", "auth/k/role/vb/*", "auth/k/login*"}, spaces: []string{"team/"}}
	for path, want := range map[string]bool{
		"sys/policies/acl/vb": true, "sys/policies/acl/VB": true, "/v1/sys/policies/acl/vb": true, "sys//seal": true, "team/sys/raw/x": true,
		"sys/storage/raft/snapshot-auto/config/a": true, "sys/leases/revoke-force/x": true, "auth/k/login": true, "auth/k/login/x": true,
		"sys/policies/acl/app": false, "team/kv/sys/raw": false, "kv/data/sys/raw": false, "sys/leases/revoke/x": false, "other/sys/raw": false,
		"sys/storage/raft/autopilot/configuration": false, "auth/k/role/app": false,
	} {
		if got := c.Forbids(path); (got != "") != want {
			t.Errorf("%s: forbidden by %q, want it forbidden: %v", path, got, want)
		}
	}
}
