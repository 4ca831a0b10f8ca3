package seed

import (
	"fmt"
	"strings"
)

// PolicyHCL returns grants as a policy, always the same text for the same input.
//
// The paths in protected can be read and not written, whatever grants says, and
// nothing below them can be reached: Vault lets the exact path win over a wildcard.
// It is a guard against accidents, not a wall: who may write policies can write one
// that allows more. An explicit grant below a protected path is kept.
func PolicyHCL(grants []Grant, protected []string) string {
	set := grantSet{}
	for _, g := range grants {
		set.add(g.Path, g.Capabilities...)
	}
	for _, path := range protected {
		set[path] = map[string]bool{"read": true}
		// Below a policy lies nothing, below a role its credentials.
		if strings.HasPrefix(path, "auth/") {
			set[path+"/*"] = map[string]bool{"deny": true}
		}
	}
	var b strings.Builder
	for i, g := range set.sorted() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "path %q {\n  capabilities = [\"%s\"]\n}\n", g.Path, strings.Join(g.Capabilities, `", "`))
	}
	return b.String()
}
