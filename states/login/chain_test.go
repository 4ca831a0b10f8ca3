package login

import (
	"slices"
	"testing"
)

// TestWaysToLook tries the role that only reads before our own, where reading is enough.
func TestWaysToLook(t *testing.T) {
	chain := Chain{Kubernetes{RoleName: "vb"}, AppRole{RoleName: "vb"}}
	for _, test := range []struct {
		readsOnly bool
		want      []string
	}{
		{true, []string{"kubernetes vb-read", "kubernetes vb", "approle vb"}},
		{false, []string{"kubernetes vb", "approle vb"}},
	} {
		var roles []string
		for _, way := range chain.ways(test.readsOnly) {
			switch method := way.Method.(type) {
			case Kubernetes:
				roles = append(roles, "kubernetes "+method.RoleName)
			case AppRole:
				roles = append(roles, "approle "+method.RoleName)
			}
		}
		if !slices.Equal(roles, test.want) {
			t.Errorf("reads only %v: tries %q, want %q", test.readsOnly, roles, test.want)
		}
	}
}
