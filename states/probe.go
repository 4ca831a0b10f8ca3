package states

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Probe looks at the world and changes nothing in it. What it may do is log in, and
// finish our own record from a spooled answer.
func (b *Bootstrap) Probe(ctx context.Context) (fsm.Observation, error) {
	replicas, err := b.lookAtReplicas(ctx)
	if err != nil {
		return fsm.Observation{}, err
	}
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return fsm.Observation{}, fmt.Errorf("reading the keys: %w", err)
	}
	if keys, err = b.recover(ctx, keys); err != nil {
		return fsm.Observation{}, err
	}
	if err := b.respectSeals(ctx, replicas); err != nil {
		return fsm.Observation{}, fmt.Errorf("telling which replicas were restarted: %w", err)
	}
	o := fsm.Observation{Replicas: replicas, Keys: keyStatus(keys)}
	if keys.Set != nil {
		o.RecoveryKeys = keys.Set.Kind == store.RecoveryKeys
		o.ClusterID = keys.Set.ClusterID
	}
	b.countEmpty(&o)
	active, found := o.Active()
	b.clusterID = active.ClusterID
	foreign := o.ClusterID != "" && active.ClusterID != "" && o.ClusterID != active.ClusterID
	if !found || keys.Set == nil || foreign {
		return o, nil // nothing secret is shown to a server that is not ours
	}
	// A cluster that cannot be looked into is still one whose replicas we unseal.
	o.Trouble = b.lookInside(ctx, active.Address, keys, &o)
	return o, nil
}

// lookAtReplicas asks all replicas at once. One that is expected and not known yet
// counts as one that does not answer: it may hold data.
func (b *Bootstrap) lookAtReplicas(ctx context.Context) ([]fsm.Replica, error) {
	if err := b.discover(ctx); err != nil {
		return nil, err
	}
	b.noteLives(ctx)
	found := make([]fsm.Replica, len(b.Replicas))
	errs := make([]error, len(b.Replicas))
	eachReplica(b.Replicas, func(i int, replica Replica) {
		health, err := replica.Health(ctx)
		found[i], errs[i] = seen(replica.Address(), health, err), err
		b.lives.answered(replica.Address(), health.From)
	})
	b.findCutOff(ctx, found)
	for known := len(found); known < b.Expected; known++ {
		found = append(found, fsm.Replica{
			Address: fmt.Sprintf("replica %d of %d", known+1, b.Expected), Health: fsm.NoAnswer, Answer: "not known yet",
		})
	}
	return found, misconfigured(errs)
}

// findCutOff looks for standbys that know of no active node although there is one.
// sys/health does not show it: Vault says 429 for them all.
func (b *Bootstrap) findCutOff(ctx context.Context, found []fsm.Replica) {
	if _, active := (fsm.Observation{Replicas: found}).Active(); !active {
		return
	}
	eachReplica(b.Replicas, func(i int, replica Replica) {
		if found[i].Health != fsm.Standby {
			return
		}
		if _, err := replica.Leader(ctx); errors.Is(err, vault.ErrNoLeader) {
			found[i].Health, found[i].Answer = fsm.StandbyCutOff, err.Error()
		}
	})
}

// discover finds out which replicas there are.
func (b *Bootstrap) discover(ctx context.Context) error {
	if b.Discover == nil {
		return nil
	}
	replicas, expected, err := b.Discover(ctx)
	if err != nil {
		return fmt.Errorf("finding the replicas: %w", err)
	}
	b.Replicas = replicas
	if expected > 0 {
		b.Expected = expected
	}
	return nil
}

// Look returns how each replica is, without anything that needs a token.
func (b *Bootstrap) Look(ctx context.Context) []fsm.Replica {
	replicas, _ := b.lookAtReplicas(ctx)
	return replicas
}

func seen(address string, health vault.Health, err error) fsm.Replica {
	if err != nil {
		return fsm.Replica{Address: address, Health: fsm.NoAnswer, Answer: brief(err)}
	}
	known, ok := healths[health.Code]
	if !ok {
		return fsm.Replica{Address: address, Health: fsm.NoAnswer, Answer: fmt.Sprintf("sys/health answers %d, which Vault does not", health.Code)}
	}
	return fsm.Replica{Address: address, Health: known, ClusterID: health.ClusterID}
}

// healths gives the meaning of sys/health's status codes.
var healths = map[int]fsm.Health{
	http.StatusOK:                 fsm.Active,
	http.StatusTooManyRequests:    fsm.Standby,
	472:                           fsm.DRSecondary,
	473:                           fsm.PerformanceStandby,
	474:                           fsm.StandbyCutOff,
	http.StatusNotImplemented:     fsm.NotInitialized,
	http.StatusServiceUnavailable: fsm.Sealed,
	530:                           fsm.Removed,
}

// brief drops what repeats the request, which the reader knows.
func brief(err error) string {
	text := err.Error()
	if cut := strings.LastIndex(text, "\": "); cut >= 0 {
		text = text[cut+3:]
	}
	if vault.Expired(err) {
		text += " (the server's certificate must be renewed)"
	}
	return text
}

// misconfigured returns a usage error if no replica could be trusted: waiting does
// not mend a wrong CA or name.
func misconfigured(errs []error) error {
	for _, err := range errs {
		if err == nil || !vault.Untrusted(err) {
			return nil
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fault.Misuse(fmt.Errorf("the server's certificate is not trusted: %w", errs[0]),
		"Give the CA that signed it with --ca-cert (VAULT_CACERT), and the name that it was made for with --tls-server-name if that is not the address's host. "+
			"If the server does not speak TLS, write http:// in its address; if it does, https://.")
}

func keyStatus(keys store.Keys) fsm.KeyStatus {
	switch {
	case keys.Set != nil:
		return fsm.StoredKeys
	case keys.Attempt != nil:
		return fsm.OpenIntent
	default:
		return fsm.NoKeys
	}
}

// countEmpty measures how long all replicas have answered 'uninitialized'.
func (b *Bootstrap) countEmpty(o *fsm.Observation) {
	filled := func(replica fsm.Replica) bool { return replica.Health != fsm.NotInitialized }
	if len(o.Replicas) == 0 || slices.ContainsFunc(o.Replicas, filled) {
		b.emptySince = b.Now()
		return
	}
	if b.emptySince.IsZero() {
		b.emptySince = b.Now()
	}
	o.UninitializedFor = b.Now().Sub(b.emptySince)
}

// lookInside looks at what only a token shows: whether root lives, whether our
// login works, and how far the seed is applied.
func (b *Bootstrap) lookInside(ctx context.Context, address string, keys store.Keys, o *fsm.Observation) error {
	b.plan, b.root = nil, nil
	if err := b.mend(ctx, address, keys); err != nil {
		return err
	}
	if err := b.lookAtRoot(ctx, address, keys, o); err != nil {
		return err
	}
	if b.root != nil {
		return b.lookWith(ctx, b.root, keys, o)
	}
	kept := b.own
	own, err := b.lookAtLogin(ctx, address, keys, o)
	if own == nil || err != nil {
		return err
	}
	err = b.lookWith(ctx, own, keys, o)
	if own != kept || vault.StatusOf(err) != http.StatusForbidden {
		return err
	}
	// The token of a login that we kept has ended, or lost its rights: log in anew.
	b.own = nil
	if own, err = b.lookAtLogin(ctx, address, keys, o); own == nil || err != nil {
		return err
	}
	return b.lookWith(ctx, own, keys, o)
}

func (b *Bootstrap) lookWith(ctx context.Context, session *vault.Session, keys store.Keys, o *fsm.Observation) error {
	if b.Mends {
		if err := b.searchGlass(ctx, session, keys); err != nil {
			return err
		}
	}
	if err := b.lookAtSeed(ctx, session, keys, o); err != nil {
		return err
	}
	return b.lookAtControls(ctx, session, keys, o)
}

// lookAtLogin returns our own session, or none when the login is refused for good.
func (b *Bootstrap) lookAtLogin(ctx context.Context, address string, keys store.Keys, o *fsm.Observation) (*vault.Session, error) {
	session, err := b.login(ctx, address, keys)
	switch {
	case err == nil:
		b.refused.clear()
		o.Login = fsm.LoginWorks
		return session, nil
	case errors.Is(err, ErrNoCredential), vault.Refused(err):
		if !b.refused.final(b.Now(), b.Login.Settles()) {
			return nil, waitForLogin(err)
		}
		o.Login, o.LoginAnswer = fsm.LoginRefused, err.Error()
		return nil, nil
	default: // Vault did not say: the refusals before it were not in a row
		b.refused.clear()
		return nil, err
	}
}
