package states

import (
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
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
func (b *Bootstrap) readObjects(declared []seed.Object) []seed.Object {
	var objects []seed.Object
	for _, method := range methods(b.Login) {
		read, ok := reader(method)
		if !ok {
			continue
		}
		for _, object := range read.Objects(b.Name + readSuffix) {
			if object.Stage == seed.StageRoles {
				objects = append(objects, object)
			}
		}
	}
	if len(objects) == 0 {
		return nil
	}
	grants := slices.Concat(seed.PolicyGrants(slices.Concat(b.Login.Objects(b.Name), declared), b.Prune.Owned), b.Prune.Grants(), b.controlGrants())
	return append(objects, seed.Policy(b.Name+readSuffix, seed.PolicyHCL(readGrants(grants), nil)))
}

// ReadOnly has the run look and change nothing: it logs in with the role that may only
// read, where there is one, and with our own where that is not made yet. Vault itself
// then refuses every write.
func (b *Bootstrap) ReadOnly() {
	b.looks, b.Mends = true, false
	b.needs = readGrants(b.needs)
}

// ReadPolicyText returns the policy of the role that only reads; "" where there is none.
func (b *Bootstrap) ReadPolicyText() string {
	for _, object := range b.readObjects(b.declared) {
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
		kept = append(kept, seed.Grant{Path: grant.Path, Capabilities: read})
	}
	return kept
}
