package states

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/policy"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
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
	// Grows is whether our login carries a second policy, which is made from the seed and which it
	// may write, so that it grows with the seed. Otherwise it has one for everything, which only root
	// writes.
	Grows bool
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
	// login are those of objects that our own login consists of, by their canonical IDs.
	login map[object.ID]bool
	// coreNeeds are what our own login needs whatever the seed says, and seedNeeds what the seed
	// needs besides.
	coreNeeds, seedNeeds []policy.Grant
	// own is our policy, and ceremonial the one by which our login also reaches the endpoints that
	// take key shares.
	own, ceremonial ownPolicy
	// growing makes the policies that our login itself writes; nil if there are none.
	growing *growing
	// givenNeeds are the needs of a token that makes our own login.
	givenNeeds []policy.Grant
}

// NewDesired returns the desired state for a declaration: the seed's objects and, beside them, the
// policies, the auth method and the role of our own login, which are called name.
func NewDesired(name string, methods login.Chain, declaration Declaration) (*Desired, error) {
	d := &Desired{name: name, methods: methods, declaration: declaration, login: map[object.ID]bool{}}
	own := d.loginObjects()
	if declaration.Grows {
		own = append(own, object.Policy(name+login.SeedSuffix, ""))
	}
	named := append(slices.Clone(own), object.Policy(name, ""))
	for _, o := range named {
		d.login[o.CanonicalID()] = true
	}
	if err := withoutServerObjects(declaration); err != nil {
		return nil, err
	}
	if _, err := seed.Combine(named, declaration.Objects); err != nil {
		return nil, err
	}
	d.coreNeeds, d.seedNeeds = needsOf(d)
	if declaration.Grows {
		var err error
		if d.growing, err = newGrowing(d, named); err != nil {
			return nil, err
		}
		own = withText(own, d.growing.texts(nil)...)
	}
	d.own, d.ceremonial = ownPolicy{name, d.policyText(own)}, ownPolicy{name, d.policyText(own, ceremony.SharesGrants()...)}
	own = append(own, object.Policy(name, d.own.text))
	var err error
	if d.objects, err = seed.Combine(own, declaration.Objects); err != nil {
		return nil, err
	}
	d.givenNeeds = slices.Concat(policy.Needs(d.objects, declaration.Prune.Owned), d.controlNeeds())
	return d, nil
}

// loginObjects returns what our own login consists of, besides the policies that bear its name.
func (d *Desired) loginObjects() []object.Object {
	var more []string
	if d.declaration.Grows {
		more = append(more, d.name+login.SeedSuffix)
	}
	return slices.Concat(d.methods.Objects(d.name, more...), d.readObjects(), d.credentialObjects())
}

// ofLogin reports whether o is a part of our own login, or configures its auth method.
func (d *Desired) ofLogin(o object.Object) bool {
	return d.login[o.CanonicalID()] || o.Stage == object.StageConfig && d.login[o.Mount]
}

// OfLogin returns what our own login needs, in the order in which Vault takes it: policies, and each
// auth method with what the seed declares of its configuration, and our role.
func (d *Desired) OfLogin() []object.Object {
	credential := map[object.ID]bool{}
	for _, o := range d.credentialObjects() {
		credential[o.CanonicalID()] = true
	}
	found := slices.DeleteFunc(slices.Clone(d.objects), func(o object.Object) bool { return !d.ofLogin(o) || credential[o.CanonicalID()] })
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
	// Tokens carry it until root writes our role again.
	goal.Keep = append(goal.Keep, object.Policy(d.name+login.SeedSuffix, nil).ID)
	return goal
}
