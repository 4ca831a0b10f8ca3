package states

import (
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
)

// readSuffix ends the names of the role and of the policy that only read.
const readSuffix = "-read"

// reader returns login with a role beside ours, for looking only. There is none where
// the credential belongs to one role or user: AppRole, userpass and a token in a file.
func reader(login Login) (Login, bool) {
	switch method := login.(type) {
	case Kubernetes:
		method.RoleName += readSuffix
		return method, true
	case JWT:
		method.RoleName += readSuffix
		return method, true
	case Cert:
		method.RoleName += readSuffix
		return method, true
	case AWS:
		method.RoleName += readSuffix
		return method, true
	case Identity:
		method.RoleName += readSuffix
		return method, true
	default:
		return nil, false
	}
}

// readObjects returns the role and the policy that plan and verify log in with, for each
// method that can have one.
func (o *Observer) readObjects(declared []object.Object) []object.Object {
	var objects []object.Object
	for _, method := range methods(o.access.method()) {
		read, ok := reader(method)
		if !ok {
			continue
		}
		for _, each := range read.Objects(o.Name + readSuffix) {
			if each.Stage == object.StageRoles {
				objects = append(objects, each)
			}
		}
	}
	if len(objects) == 0 {
		return nil
	}
	grants := slices.Concat(policy.OwnGrants(slices.Concat(o.access.method().Objects(o.Name), declared), o.Prune.Owned), policy.TombstoneGrants(o.Prune), o.controlGrants())
	return append(objects, object.Policy(o.Name+readSuffix, policy.HCL(readGrants(grants), nil)))
}

// ReadPolicyText returns the policy of the role that only reads; "" where there is none.
func (o *Observer) ReadPolicyText() string {
	for _, each := range o.readObjects(o.declared) {
		if each.Stage == object.StagePolicies {
			text, _ := each.Data["policy"].(string)
			return text
		}
	}
	return ""
}

// readGrants keeps of grants what changes nothing: reading, listing, and questions that
// Vault takes as writes.
func readGrants(grants []policy.Grant) []policy.Grant {
	questions := []string{"sys/capabilities-self", "auth/token/revoke-self", "auth/token/lookup-accessor"}
	var kept []policy.Grant
	for _, grant := range append(slices.Clone(grants), cleanup()...) {
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
		kept = append(kept, policy.Grant{Path: grant.Path, Capabilities: read})
	}
	return kept
}
