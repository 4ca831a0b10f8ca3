package states

import (
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// readObjects returns the role and the policy that plan and verify log in with, for each
// method that can have one.
func (d *Desired) readObjects() []seed.Object {
	var objects []seed.Object
	for _, object := range d.methods.Readers().Objects(d.name + login.ReadSuffix) {
		if object.Stage == seed.StageRoles {
			objects = append(objects, object)
		}
	}
	if len(objects) == 0 {
		return nil
	}
	grants := slices.Concat(seed.PolicyGrants(slices.Concat(d.methods.Objects(d.name), d.said.Objects), d.said.Prune.Owned), d.said.Prune.Grants(), d.controlGrants())
	return append(objects, seed.Policy(d.name+login.ReadSuffix, seed.PolicyHCL(readGrants(grants), nil)))
}

// ReadPolicyText returns the policy of the role that only reads; "" where there is none.
func (d *Desired) ReadPolicyText() string {
	for _, object := range d.readObjects() {
		if object.Stage == seed.StagePolicies {
			text, _ := object.Data["policy"].(string)
			return text
		}
	}
	return ""
}

// readGrants keeps of grants what changes nothing: reading, listing, and questions that
// Vault takes as writes.
func readGrants(grants []seed.Grant) []seed.Grant {
	questions := []string{"sys/capabilities-self", "auth/token/revoke-self", "auth/token/lookup-accessor"}
	var kept []seed.Grant
	for _, grant := range append(slices.Clone(grants), ceremony.Grants()...) {
		if slices.Contains(questions, grant.Path) {
			kept = append(kept, grant)
			continue
		}
		var read []string
		for _, capability := range grant.Capabilities {
			if capability == "read" || capability == "list" {
				read = append(read, capability)
			}
		}
		if len(read) == 0 {
			continue
		}
		if slices.Contains(grant.Capabilities, "sudo") {
			read = append(read, "sudo")
		}
		kept = append(kept, seed.Grant{Path: grant.Path, Capabilities: read})
	}
	return kept
}
