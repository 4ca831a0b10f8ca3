package states

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// Declaration is what a seed says, with its references resolved.
type Declaration struct {
	Objects []object.Object
	// Prune says what the seed lets us delete.
	Prune object.Prune
	// Rules say which controls are required, fixed and accepted.
	Rules harden.Rules
	// Ceremonies says whether our login may reach the endpoints that take key shares, and
	// Credential whether there is a login of its own for them, whose credential is on record.
	Ceremonies ceremony.Rights
	Credential bool
	// Namespace is the namespace that the seed and our login are in, without slashes at its ends;
	// empty for the root namespace.
	Namespace string
	// Keyless is whether the keys of Vault are not ours. Then no token is ours to revoke either.
	Keyless bool
	// Digest returns the digest of the seed, for the checkpoint; nil where there is no seed, and then
	// the digest on record stays. It is called only when a state is entered, since it takes a while for a large seed.
	Digest func() string
}

// Desired is the desired state of Vault: its objects and its controls. It never changes: reading
// the seed again creates another one.
type Desired struct {
	name        string // of our records, of our policy and of our role
	methods     login.Chain
	declaration Declaration
	objects     []object.Object // the seed's and our own
	needs       []policy.Grant  // of our own login
	// own is our policy, and ceremonial the one by which our login also reaches the endpoints that
	// take key shares.
	own, ceremonial ownPolicy
	// givenNeeds are the needs of a token that makes all of it, our own login included.
	givenNeeds []policy.Grant
}

// NewDesired returns the desired state for a declaration: the seed's objects and, beside them, the
// policy, the auth method and the role of our own login, which are called name.
func NewDesired(name string, methods login.Chain, declaration Declaration) (*Desired, error) {
	d := &Desired{name: name, methods: methods, declaration: declaration}
	own := append(methods.Objects(name), d.readObjects()...)
	own = append(own, d.credentialObjects()...)
	d.own, d.ceremonial = ownPolicy{name, d.policyText(own)}, ownPolicy{name, d.policyText(own, ceremony.SharesGrants()...)}
	own = append(own, object.Policy(name, d.own.text))
	err := withoutServerObjects(declaration)
	if err != nil {
		return nil, err
	}
	if d.objects, err = seed.Combine(own, declaration.Objects); err != nil {
		return nil, err
	}
	d.needs = append(policy.Needs(declaration.Objects, declaration.Prune.Owned), policy.Grant{Path: "sys/audit", Capabilities: []string{"read", "sudo"}})
	d.needs = slices.Concat(d.needs, d.tokenGrants(), d.controlNeeds())
	d.givenNeeds = slices.Concat(policy.Needs(d.objects, declaration.Prune.Owned), d.controlNeeds())
	return d, nil
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

// OfLogin returns what our own login needs, in the order in which Vault takes it: policies, and each
// auth method with what the seed declares of its configuration, and our role.
func (d *Desired) OfLogin() []object.Object {
	own, mounts := map[object.ID]bool{object.Policy(d.name, nil).ID: true}, map[object.ID]bool{}
	for _, o := range append(d.methods.Objects(d.name), d.readObjects()...) {
		own[o.CanonicalID()] = true
		if o.IsMount() {
			mounts[o.CanonicalID()] = true
		}
	}
	var found []object.Object
	for _, o := range d.objects {
		if own[o.CanonicalID()] || o.Stage == object.StageConfig && mounts[o.Mount] {
			found = append(found, o)
		}
	}
	rank := func(o object.Object) int {
		if o.Stage == object.StagePolicies {
			return -1
		}
		return int(o.Stage)
	}
	slices.SortStableFunc(found, func(a, b object.Object) int {
		return cmp.Or(rank(a)-rank(b), strings.Compare(string(a.ID), string(b.ID)))
	})
	return found
}

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

// objectsFor returns the seed's objects and our own, with the policy for a keys record.
func (d *Desired) objectsFor(keys store.Keys) []object.Object {
	text := d.policyFor(keys).text
	if text == d.own.text {
		return d.objects
	}
	objects, own := slices.Clone(d.objects), object.Policy(d.name, text)
	for i := range objects {
		if objects[i].ID == own.ID {
			objects[i].Data = own.Data
		}
	}
	return objects
}

func (d *Desired) policyText(own []object.Object, more ...policy.Grant) string {
	protected := []string{"sys/policies/acl/" + d.name}
	for _, o := range own {
		if o.Stage == object.StageRoles || o.Stage == object.StagePolicies {
			protected = append(protected, string(o.ID))
		}
	}
	grants := slices.Concat(policy.OwnGrants(slices.Concat(own, d.declaration.Objects), d.declaration.Prune.Owned), policy.TombstoneGrants(d.declaration.Prune), d.tokenGrants(), d.controlGrants(), d.renewalGrants(), more)
	return policy.HCL(grants, protected)
}

// digest returns the digest of the seed; "" if there is none.
func (d *Desired) digest() string {
	if d.declaration.Digest == nil {
		return ""
	}
	return d.declaration.Digest()
}

// forgoes reports whether there is no seed here, although the checkpoint is that of a Vault with one.
func (d *Desired) forgoes(checkpoint store.Checkpoint) bool {
	return d.declaration.Digest == nil && checkpoint.SeedDigest != "" && checkpoint.SeedDigest != seed.DigestOfNothing()
}

// goal returns the goal of a plan for objects.
func (d *Desired) goal(objects []object.Object, checkpoint store.Checkpoint, keys store.Keys, parallelism int) reconcile.Goal {
	goal := reconcile.Goal{
		Objects: objects, Memory: reconcile.Memory{Hashes: checkpoint.Hashes, HashKey: keys.HashKey},
		Prune: d.declaration.Prune, Parallelism: parallelism,
	}
	for id, how := range checkpoint.Ledger {
		if how != store.TakenOver { // what others made is theirs to delete
			goal.Owned = append(goal.Owned, object.ID(id))
		}
	}
	for _, o := range d.objects {
		goal.Keep = append(goal.Keep, o.ID)
	}
	return goal
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
	grants := slices.Concat(policy.OwnGrants(slices.Concat(d.methods.Objects(d.name), d.declaration.Objects), d.declaration.Prune.Owned), policy.TombstoneGrants(d.declaration.Prune), d.controlGrants())
	return append(objects, object.Policy(d.name+login.ReadSuffix, policy.HCL(readGrants(grants), nil)))
}

// ReadPolicyText returns the policy of the role that only reads; "" where there is none.
func (d *Desired) ReadPolicyText() string {
	for _, o := range d.readObjects() {
		if o.Stage == object.StagePolicies {
			text, _ := o.Data["policy"].(string)
			return text
		}
	}
	return ""
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
