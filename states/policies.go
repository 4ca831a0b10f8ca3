package states

import (
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// PolicyText returns our own policy for a seed, as it is where the record holds the key shares or
// where operators do: what the seed needs, and no way to widen the policy itself.
func (d *Desired) PolicyText(holdsShares bool) string {
	// A login in a namespace reaches the endpoints of that namespace only: its keys, if it has a
	// seal of its own, are not those on record.
	if !d.declaration.Keyless && d.declaration.Namespace == "" && d.declaration.Ceremonies.Allow(holdsShares) {
		return d.ceremonial.text
	}
	return d.own.text
}

// policyFor returns our own policy for a keys record.
func (d *Desired) policyFor(keys store.Keys) ownPolicy {
	if keys.Set != nil && keys.Set.Shareless() { // whoever may begin an exchange there is root
		return d.own
	}
	return ownPolicy{d.name, d.PolicyText(keys.Set != nil && ceremony.HoldsShares(keys))}
}

// ceremonyNeeds returns what our login needs to generate a root token and to exchange the keys of a
// record, at a server that asks for a token there; none if it is not to.
func (d *Desired) ceremonyNeeds(keys store.Keys, server product.Product) []policy.Grant {
	if keys.Set == nil || !server.Statuses(product.GenerateRoot)[0].Granted || d.policyFor(keys).text != d.ceremonial.text {
		return nil
	}
	via, recovery := vault.Endpoints{Authenticated: server.Kind == product.OpenBao}, keys.Set.Kind == store.RecoveryKeys
	var needs []policy.Grant
	for _, path := range slices.Concat(via.RootPaths(), via.RekeyPaths(recovery)) {
		needs = append(needs, policy.Grant{Path: path, Capabilities: []string{"update"}})
	}
	return needs
}

// objectsFor returns the seed's objects and our own, with the policies for the records.
func (d *Desired) objectsFor(keys store.Keys, checkpoint store.Checkpoint) []object.Object {
	return withText(d.objects, append(d.growing.texts(d.growing.gone(checkpoint)), d.policyFor(keys))...)
}

// withText returns objects with other texts of some of their policies.
func withText(objects []object.Object, policies ...ownPolicy) []object.Object {
	objects = slices.Clone(objects)
	for _, each := range policies {
		own := object.Policy(each.name, each.text)
		if at := slices.IndexFunc(objects, func(o object.Object) bool { return o.ID == own.ID }); at >= 0 {
			objects[at].Data = own.Data
		}
	}
	return objects
}

// policyText returns the policy that only root writes.
func (d *Desired) policyText(own []object.Object, more ...policy.Grant) string {
	protected := []string{"sys/policies/acl/" + d.name}
	for _, o := range own {
		switch {
		case d.growing.writes(o):
			more = append(more, policy.Grant{Path: string(o.ID), Capabilities: []string{"read", "update"}})
		case o.Stage == object.StageRoles || o.Stage == object.StagePolicies:
			protected = append(protected, string(o.ID))
		}
	}
	grants := coreGrants(d, own)
	if !d.declaration.Grows {
		grants = slices.Concat(policy.OwnGrants(slices.Concat(own, d.declaration.Objects), d.declaration.Prune.Owned), policy.TombstoneGrants(d.declaration.Prune), d.tokenGrants(), d.controlGrants(), d.renewalGrants())
	}
	return policy.HCL(append(grants, more...), protected)
}

// coreGrants returns what our login may do whatever the seed says.
func coreGrants(d *Desired, own []object.Object) []policy.Grant {
	fixes, _ := fixGrants(d.declaration.Rules)
	return slices.Concat(policy.OwnGrants(own, false), d.tokenGrants(), d.renewalGrants(), controlReads(), fixes)
}

// needsOf returns what our own login needs whatever the seed says, and what the seed needs.
func needsOf(d *Desired) (whatever, seed []policy.Grant) {
	prune := d.declaration.Prune.Owned
	var mounts, others []object.Object // what our own login needs is never deleted
	for _, o := range d.declaration.Objects {
		if d.declaration.Grows && d.ofLogin(o) {
			mounts = append(mounts, o)
		} else {
			others = append(others, o)
		}
	}
	core, fixes := fixGrants(d.declaration.Rules)
	whatever = slices.Concat(policy.Needs(nil, false), []policy.Grant{{Path: "sys/audit", Capabilities: []string{"read", "sudo"}}}, d.tokenGrants(), d.controlNeeds(), core)
	return whatever, slices.Concat(policy.Needs(others, prune), policy.Needs(mounts, false), fixes)
}

// needs returns all that our own login needs.
func (d *Desired) needs(checkpoint store.Checkpoint) []policy.Grant {
	return slices.Concat(d.coreNeeds, d.seedNeeds, d.growing.deletions(d.growing.gone(checkpoint)))
}

// tokenGrants returns what our login may do with the tokens of others: look at all of them and, where
// we make root tokens, revoke them.
func (d *Desired) tokenGrants() []policy.Grant {
	grants := ceremony.Grants()
	if !d.declaration.Keyless {
		return grants
	}
	return slices.DeleteFunc(grants, func(grant policy.Grant) bool { return grant.Path == "auth/token/revoke-accessor" })
}

// readObjects returns the role and the policy that plan and verify log in with, for each
// method that can have one.
func (d *Desired) readObjects() []object.Object {
	var objects []object.Object
	for _, o := range d.methods.Readers().Objects(d.name + login.ReadSuffix) {
		if o.Stage == object.StageRoles {
			objects = append(objects, o)
		}
	}
	if len(objects) == 0 {
		return nil
	}
	if d.declaration.Grows { // its text is made with that of the seed's policy
		return append(objects, object.Policy(d.name+login.ReadSuffix, ""))
	}
	grants := slices.Concat(policy.OwnGrants(slices.Concat(d.methods.Objects(d.name), d.declaration.Objects), d.declaration.Prune.Owned), policy.TombstoneGrants(d.declaration.Prune), d.controlGrants())
	return append(objects, object.Policy(d.name+login.ReadSuffix, policy.HCL(readGrants(grants), nil)))
}

// ReadPolicyText returns the policy of the role that only reads; "" where there is none.
func (d *Desired) ReadPolicyText() string {
	for _, o := range d.objects {
		if o.ID == object.Policy(d.name+login.ReadSuffix, nil).ID {
			text, _ := o.Data["policy"].(string)
			return text
		}
	}
	return ""
}

// SeedPolicyID returns the API path of the policy that is made from the seed, given our name. The ledger
// has it while our login may write it.
func SeedPolicyID(name string) string { return string(object.Policy(name+login.SeedSuffix, nil).ID) }

// SeedPolicy returns the policy that is made from the seed; "" where there is none.
func (d *Desired) SeedPolicy() (name, text string) {
	if d.growing == nil {
		return "", ""
	}
	made := d.growing.texts(nil)[0]
	return made.name, made.text
}

// readGrants returns the part of grants that changes nothing: reading, listing, and queries that
// Vault takes as writes.
func readGrants(grants []policy.Grant) []policy.Grant {
	queries := []string{"sys/capabilities-self", "auth/token/revoke-self", "auth/token/lookup-accessor"}
	var kept []policy.Grant
	for _, grant := range append(slices.Clone(grants), ceremony.Grants()...) {
		if slices.Contains(queries, grant.Path) {
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

// credentialObjects returns what the login for ceremonies needs; none if there is to be none.
func (d *Desired) credentialObjects() []object.Object {
	if !d.declaration.Credential {
		return nil
	}
	grants := ceremony.SharesGrants()
	for _, path := range []string{"auth/token/revoke-self", "sys/capabilities-self"} {
		grants = append(grants, policy.Grant{Path: path, Capabilities: []string{"update"}})
	}
	return login.NewCeremony(d.name).Objects(policy.HCL(grants, nil))
}

// renewalGrants lets our own login renew the credential for ceremonies, when the keys are rotated.
func (d *Desired) renewalGrants() []policy.Grant {
	if !d.declaration.Credential {
		return nil
	}
	var grants []policy.Grant
	written, read := login.NewCeremony(d.name).RenewPaths()
	for _, path := range written {
		grants = append(grants, policy.Grant{Path: path, Capabilities: []string{"update"}})
	}
	for _, path := range read {
		grants = append(grants, policy.Grant{Path: path, Capabilities: []string{"read"}})
	}
	return grants
}
