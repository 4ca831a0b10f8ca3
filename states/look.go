package states

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// Look is what one look at the world has shown. It is all that an act knows about the world.
type Look struct {
	// Observation is the part that decides the state.
	Observation fsm.Observation
	// Records as they were read for this look.
	StoredKeys store.Keys
	Checkpoint store.Checkpoint
	// Locked is why the keys record could not be opened; nil if it was, or is in clear. The secrets in
	// StoredKeys are withheld then.
	Locked error
	// Unsettled is what the holder of the Lease has to end first.
	Unsettled Unsettled
	// Plan is the difference between Vault and the seed; nil if it could not be made.
	Plan *reconcile.Plan
	// NoSeed is whether no seed is given although the one on record was applied: what that declares
	// is neither compared nor changed.
	NoSeed bool
	// Facts are what the controls were judged by, and Controls are the results.
	Facts    harden.Facts
	Controls []harden.Result

	digest func() string // of the seed; nil if there is no look behind this
	growth growth        // whether our policies grow with the seed
	seenBy vault.View    // what the plan and the facts were read with
	root   vault.View    // a live root token; none if there is none
}

// Unsettled is what a look has found that the holder of the Lease has to end or record.
type Unsettled struct {
	// Answers are spooled answers to sys/init that are not on record.
	Answers []spool.Entry
	// Unopened is the ID of an attempt whose answer is stored as it came; empty if there is none, or
	// if there is a set of keys.
	Unopened string
	// Refused is the ID of an attempt of this process that Vault has refused.
	Refused string
	// Opens is the ID of the attempt whose answer opens this Vault while the answer of another one
	// is the set in force; empty if there is no such attempt.
	Opens string
	// BreakGlass is whether a break-glass that this process does not use is on record, Rotation
	// whether an exchange of the key shares is.
	BreakGlass, Rotation bool
	// Accessor is the root token's, if it is not on record.
	Accessor string
	// Open holds, by address, the life of its server in which each replica is unsealed; nil if that
	// is already on record.
	Open map[string]string
}

func (u Unsettled) none() bool {
	return len(u.Answers) == 0 && u.Unopened == "" && u.Refused == "" && u.Opens == "" && !u.BreakGlass && !u.Rotation && u.Accessor == "" && u.Open == nil
}

// Observed returns the observation that decides the state.
func (l *Look) Observed() *fsm.Observation { return &l.Observation }

// Settled reports whether nothing has to be ended or recorded.
func (l *Look) Settled() bool { return l.Unsettled.none() }

// Planned returns how many objects a run would write, create or delete.
func (l *Look) Planned() int {
	if l == nil || l.Plan == nil {
		return 0
	}
	return len(l.Plan.Changes) - l.Plan.Count(reconcile.None)
}

// Explain returns what has happened where the state is behind the one on record: whether Vault or the
// seed has changed, and how much differs.
func (l *Look) Explain(event fsm.Event) fsm.Reason {
	switch event {
	case fsm.Seal:
		return fsm.Reason{Text: "Vault was sealed since the last run"}
	case fsm.Drift:
		differ := fmt.Sprintf("%d objects differ", l.Planned())
		if l.Planned() == 1 {
			differ = "1 object differs"
		}
		if l.newSeed() {
			return fsm.Reason{Text: "the seed has changed: " + differ, Asked: true}
		}
		return fsm.Reason{Text: "Vault no longer matches the seed: " + differ}
	case fsm.Weaken:
		return l.weakened()
	default:
		return fsm.Reason{}
	}
}

// weakened explains why a hardened Vault is hardened again. With a token that is not that of our
// login, nobody can say yet whether the controls hold.
func (l *Look) weakened() fsm.Reason {
	if l.Observation.Root == fsm.LiveRoot {
		return fsm.Reason{Text: "another token than that of our own login is in use: the login is proven again", Asked: true}
	}
	var failed []string
	for _, result := range harden.Failed(l.Controls, true) {
		failed = append(failed, result.ID)
	}
	names := cmp.Or(list(failed), "one that the seed fixes")
	if l.newSeed() {
		return fsm.Reason{Text: "the seed has changed, and a control that it requires does not hold: " + names, Asked: true}
	}
	return fsm.Reason{Text: "a required control no longer holds: " + names}
}

// newSeed reports whether the seed is another one than that on record.
func (l *Look) newSeed() bool {
	if l.digest == nil || l.Checkpoint.SeedDigest == "" {
		return false
	}
	digest := l.digest()
	return digest != "" && digest != l.Checkpoint.SeedDigest
}

// Look observes the replicas, the records and, where it can log in, what is inside Vault.
func (o *Observer) Look(ctx context.Context) (*Look, error) {
	look, err := o.LookOutside(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.desired.sameNamespace(look.Checkpoint); err != nil {
		return nil, err
	}
	active, found := look.Observation.Replicas.Active()
	foreign := look.Observation.ClusterID != "" && active.ClusterID != "" && look.Observation.ClusterID != active.ClusterID
	if !found || foreign || look.StoredKeys.Set == nil && !o.setting.Keyless {
		return look, nil // nothing secret is shown to a server that is not ours
	}
	if look.Locked != nil {
		return look, nil // what it takes to look inside is in the record
	}
	// Even if nothing inside can be read, the replicas of the cluster are ours to unseal.
	look.Observation.Trouble = o.lookInside(ctx, active.Address, look)
	return look, nil
}

// LookOutside observes the replicas and the records, and nothing inside Vault.
func (o *Observer) LookOutside(ctx context.Context) (*Look, error) {
	replicas, err := o.lookAtReplicas(ctx)
	if err != nil {
		return nil, err
	}
	look := &Look{}
	look.Observation.Replicas = replicas
	if look.StoredKeys, look.Locked, err = readKeys(ctx, o.records); err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	look.Observation.Trouble = look.Locked
	if look.Checkpoint, err = o.records.Checkpoint(ctx); err != nil {
		return nil, fmt.Errorf("reading the checkpoint: %w", err)
	}
	if err := o.refusePutBack(ctx, look); err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	if err := o.lookAtRecords(ctx, look); err != nil {
		return nil, err
	}
	if o.setting.Keyless {
		return look, RefuseKeys(look.StoredKeys)
	}
	return look, nil
}

// lookAtRecords adds to the observation what the records say of the replicas.
func (o *Observer) lookAtRecords(ctx context.Context, look *Look) error {
	look.Observation.Remembered = fsm.State(look.Checkpoint.State)
	look.NoSeed, look.digest = o.desired.forgoes(look.Checkpoint), o.desired.digest
	if o.setting.Keyless {
		look.Observation.Keys, look.Observation.ClusterID = fsm.KeysElsewhere, look.Checkpoint.ClusterID
		return nil
	}
	if err := o.attempts.look(ctx, look); err != nil {
		return err
	}
	if look.Observation.Keys == fsm.NoKeys {
		cluster.LookAtStorage(ctx, o.servers, look.Observation.Replicas)
	}
	if err := o.seals.look(ctx, look); err != nil {
		return fmt.Errorf("finding out which replicas were restarted: %w", err)
	}
	o.lookAtSet(look)
	return nil
}

// RefuseKeys fails if the keys record of a Vault whose keys are not ours holds something that opens
// one: then they are ours after all, and nobody would look after them.
func RefuseKeys(keys store.Keys) error {
	held := keys.Opens()
	if len(held) == 0 {
		return nil
	}
	return fault.Misuse(fmt.Errorf("--keys=none, and the keys record holds %s", strings.Join(held, ", ")),
		"Nothing was changed: if these are the keys of this Vault, omit --keys=none, and they are used and looked after. If they are another's, give this one records of its own with --name, --namespace or --store.")
}

// Health returns how each replica is, without anything that needs a token or a record.
func (o *Observer) Health(ctx context.Context) fsm.Replicas {
	replicas, _ := o.lookAtReplicas(ctx)
	return replicas
}

// lookAtSet adds to the observation what the set of keys in force says.
func (o *Observer) lookAtSet(look *Look) {
	set := look.StoredKeys.Set
	if set == nil {
		return
	}
	look.Observation.RecoveryKeys, look.Observation.ClusterID = set.Kind == store.RecoveryKeys, set.ClusterID
	if set.Shareless() {
		look.Observation.Keys = fsm.NoShares
	}
	sealed := look.Observation.Replicas.ToUnseal()
	if len(sealed) > 0 && len(set.Custody) > 0 && !look.Observation.RecoveryKeys && !ceremony.HoldsShares(look.StoredKeys) {
		look.Observation.Custodians = ceremony.WaitForCustodians(sealed[0].Address, ceremony.CustodyOf(look.StoredKeys), o.awaitCustodians)
	}
}

// lookInside reads what only a token shows: whether a root token is alive, whether our login works,
// and how much of the seed is applied.
func (o *Observer) lookInside(ctx context.Context, address string, look *Look) error {
	keys := look.StoredKeys
	look.Unsettled.BreakGlass = keys.RootGrant != nil && !o.grant.InUse(keys.RootGrant.ID)
	if err := o.lookAtRotation(ctx, address, look); err != nil {
		return err
	}
	if err := o.lookAtRoot(ctx, address, look); err != nil {
		return err
	}
	if !look.root.None() {
		return o.lookWith(ctx, look.root, look)
	}
	own, fresh, err := o.lookAtLogin(ctx, address, look)
	if own.None() || err != nil {
		return err
	}
	err = o.lookWith(ctx, own, look)
	if fresh || httpstatus.Of(err) != http.StatusForbidden {
		return err
	}
	// The token of the login that we kept has expired, or lost its privileges: log in again.
	o.access.Lapse()
	if own, _, err = o.lookAtLogin(ctx, address, look); own.None() || err != nil {
		return err
	}
	return o.lookWith(ctx, own, look)
}

// lookWith reads what the seed and the controls need, both at the same time, since each waits for
// Vault. An error of the seed is reported first.
func (o *Observer) lookWith(ctx context.Context, view vault.View, look *Look) error {
	look.seenBy = view
	facts := make(chan error, 1)
	go func() { facts <- o.gatherFacts(ctx, view, look) }()
	err := o.lookAtSeed(ctx, view, look)
	gathered := <-facts
	if err = cmp.Or(err, gathered); err != nil {
		return err
	}
	o.lookAtControls(ctx, look)
	return nil
}

// lookAtReplicas asks all replicas for their health, and notes which life each answer comes from.
func (o *Observer) lookAtReplicas(ctx context.Context) (fsm.Replicas, error) {
	return cluster.Look(ctx, o.servers, o.seals)
}
