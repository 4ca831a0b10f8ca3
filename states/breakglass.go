package states

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// Emergency says why a root token is made from key shares, and with what.
type Emergency struct {
	// Reason is the person's.
	Reason string
	// Ask returns the shares of people, where we hold none.
	Ask AskShares
	// Token is for servers that ask for one at generate-root; it may be empty.
	Token secret.Value
}

// AskShares returns as many key shares as needed, from people.
type AskShares func(ctx context.Context, need ShareNeed) ([]secret.Value, error)

// ShareNeed says which shares are asked for.
type ShareNeed struct {
	// What names them ("unseal keys").
	What string
	// Count is how many are needed.
	Count int
	// Owners are who hold them, if that is known.
	Owners []string
}

// rootGrant is the root token in use.
type rootGrant struct {
	id       string
	token    secret.Value
	accessor string
	address  string
	reason   string
}

// grantHolder holds the root token of the break-glass that this process makes.
type grantHolder struct {
	dialer sessionOpener
	root   *rootGrant     // nil if none is in use
	latest *vault.Session // with it
}

// sessionOpener opens a session with a token.
type sessionOpener interface {
	Session(address string, token secret.Value) (*vault.Session, error)
}

// inUse reports whether the break-glass of that ID is this process's own.
func (g *grantHolder) inUse(id string) bool { return g.root != nil && g.root.id == id }

// session returns a session with the root token in use, which tells Vault why.
func (g *grantHolder) session(address string) (*vault.Session, error) {
	session, err := g.dialer.Session(address, g.root.token)
	if err != nil {
		return nil, err
	}
	session.Because(g.root.reason)
	return session, nil
}

// view returns a view with the root token in use; ok is false if there is none.
func (g *grantHolder) view(address string) (view vault.View, ok bool, err error) {
	if g.root == nil {
		return vault.View{}, false, nil
	}
	session, err := g.session(address)
	if err != nil {
		return vault.View{}, true, err
	}
	g.latest = session
	return session.View(), true, nil
}

// BreakGlass makes a root token from the key shares, for this run only. The caller
// calls MendGlass in every path, also after an error.
//
// The key that Vault encrypts the token to is stored before Vault is asked, and the
// token before it is used: whoever comes after a kill -9 finds it and ends it.
func (b *Bootstrap) BreakGlass(ctx context.Context, why Emergency) (address string, token secret.Value, err error) {
	keys, err := b.Records.Keys(ctx)
	if err != nil {
		return "", secret.Value{}, fmt.Errorf("reading the keys: %w", err)
	}
	replica, err := b.activeOfOurs(ctx, keys)
	if err != nil {
		return "", secret.Value{}, err
	}
	if err := b.sweepGlass(ctx, replica.Address(), keys); err != nil {
		return "", secret.Value{}, err
	}
	// The set that is marked may be the one that Vault has ceased to take.
	if keys, err = b.settleRotation(ctx, replica, keys, why.Token); err != nil {
		return "", secret.Value{}, err
	}
	if err := b.nobodyMakesRoot(ctx, replica, why.Token); err != nil {
		return "", secret.Value{}, err
	}
	made, err := b.intendGlass(ctx, replica, why)
	if err != nil {
		return "", secret.Value{}, err
	}
	if err := b.makeRoot(ctx, replica, askedOf(keys), made, why); err != nil {
		return "", secret.Value{}, errors.Join(err, b.MendGlass(ctx))
	}
	b.Log.Warn("a root token is in use", "reason", why.Reason, "accessor", b.grant.root.accessor)
	b.tell("BrokeGlass", fmt.Sprintf("A root token (accessor %s) is in use by %s: %s", b.grant.root.accessor, b.Holder, why.Reason))
	return replica.Address(), b.grant.root.token, nil
}

// activeOfOurs returns the active replica of the cluster whose keys we hold: shares and
// tokens are shown to no other.
func (b *Bootstrap) activeOfOurs(ctx context.Context, keys store.Keys) (cluster.Replica, error) {
	if keys.Set == nil {
		return nil, fault.Misuse(errors.New("no keys are stored"), "Check --store, --name and --namespace. A Vault that somebody else has initialized is taken over by 'vault-bootstrap adopt'.")
	}
	replicas, err := b.lookAtReplicas(ctx)
	if err != nil {
		return nil, err
	}
	active, found := replicas.Active()
	switch {
	case !found:
		return nil, fault.Wait(errors.New("no replica is active"), "Vault must be unsealed first: 'vault-bootstrap run --until=unsealed' does it, or the people who hold the shares.")
	case keys.Set.ClusterID != "" && active.ClusterID != "" && keys.Set.ClusterID != active.ClusterID:
		return nil, fsm.ForeignCluster(keys.Set.ClusterID, active)
	}
	return b.At(active.Address), nil
}

// nobodyMakesRoot refuses to go on while another's attempt is in progress.
func (b *Bootstrap) nobodyMakesRoot(ctx context.Context, replica cluster.Replica, token secret.Value) error {
	attempt, err := replica.RootAttempt(ctx, token)
	if err != nil {
		return rootRefused(replica.Address(), err)
	}
	if attempt.Started {
		return rootInProgress(attempt)
	}
	return nil
}

// rootInProgress is about an attempt that is not ours. It is left alone.
func rootInProgress(attempt vault.RootAttempt) error {
	return fault.Held(fmt.Errorf("somebody else is generating a root token (nonce %s, %d of %d shares given)", attempt.Nonce, attempt.Progress, attempt.Required),
		"It is not ours, so it was not touched. Ask who began it; 'vault operator generate-root -status' shows it, 'vault operator generate-root -cancel' ends it.")
}

// intendGlass writes what is about to be done.
func (b *Bootstrap) intendGlass(ctx context.Context, replica cluster.Replica, why Emergency) (store.Glass, error) {
	pair, err := pgp.Generate("vault-bootstrap break-glass", b.Now())
	if err != nil {
		return store.Glass{}, err
	}
	intent := store.Glass{
		ID: newID(), Holder: b.Holder, Reason: why.Reason, Started: b.Now().UTC(),
		PublicKey: pair.Public, PrivateKey: pair.Private, Fingerprint: pair.Fingerprint,
	}
	err = b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Glass != nil {
			return errors.New("an earlier root token is still on record")
		}
		keys.Glass = &intent
		return nil
	})
	if err != nil {
		return store.Glass{}, err
	}
	b.grant.root = &rootGrant{id: intent.ID, address: replica.Address(), reason: why.Reason}
	point.Reach("breakglass.intent")
	return intent, nil
}

// makeRoot begins our attempt, gives it the shares, and stores what comes of it.
func (b *Bootstrap) makeRoot(ctx context.Context, replica cluster.Replica, set store.KeySet, intent store.Glass, why Emergency) error {
	beginning, cancel, err := toTheAnswer(ctx, "generating a root token at "+replica.Address())
	if err != nil {
		return err
	}
	defer cancel()
	begun, err := replica.BeginRoot(beginning, why.Token, intent.PublicKey)
	if vault.Says(err, "already in progress") {
		return rootInProgress(vault.RootAttempt{Nonce: "unknown"})
	}
	if err != nil {
		return rootRefused(replica.Address(), err)
	}
	point.Reach("breakglass.begun")
	given, err := collect(ctx, set, begun.Required, why.Ask)
	if err != nil {
		return err
	}
	answer, err := b.giveRoot(ctx, replica, begun, given, why.Token)
	if err != nil {
		return err
	}
	token, err := pgp.Decrypt(intent.PrivateKey, answer.Token)
	if err != nil {
		return fmt.Errorf("opening the root token: %w", err)
	}
	b.grant.root.token = token
	point.Reach("breakglass.made")
	if err := b.updateGlass(ctx, func(g *store.Glass) { g.Token = token }); err != nil {
		return err
	}
	point.Reach("breakglass.stored")
	session, err := b.grant.session(replica.Address())
	if err != nil {
		return err
	}
	identity, err := session.Identity(ctx)
	if err != nil {
		return fmt.Errorf("looking the root token up: %w", err)
	}
	b.grant.root.accessor = identity.Accessor
	return b.updateGlass(ctx, func(g *store.Glass) { g.Accessor = identity.Accessor })
}

// giveRoot gives the shares. Before the last one it is written down that from now on
// there may be a token.
func (b *Bootstrap) giveRoot(ctx context.Context, replica cluster.Replica, begun vault.RootAttempt, given []secret.Value, token secret.Value) (vault.RootAttempt, error) {
	var answer vault.RootAttempt
	for i, share := range given {
		if i == len(given)-1 {
			health, err := replica.Health(ctx)
			if err != nil {
				return answer, fmt.Errorf("asking for Vault's time: %w", err)
			}
			if err := b.updateGlass(ctx, func(g *store.Glass) { g.Finishing = health.ServerTime }); err != nil {
				return answer, err
			}
			point.Reach("breakglass.finishing")
			// Nobody else could end the token that the answer holds.
			last, cancel, err := toTheAnswer(ctx, "generating a root token at "+replica.Address())
			if err != nil {
				return answer, err
			}
			defer cancel()
			ctx = last
		}
		var err error
		if answer, err = replica.GiveRoot(ctx, token, begun.Nonce, share); err != nil {
			return answer, rootAnswer(replica.Address(), err)
		}
	}
	if !answer.Complete || answer.Token == "" {
		return answer, fmt.Errorf("%s was given all shares, and answers without a root token", replica.Address())
	}
	return answer, nil
}

func (b *Bootstrap) updateGlass(ctx context.Context, change func(*store.Glass)) error {
	return b.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.Glass == nil || b.grant.root == nil || keys.Glass.ID != b.grant.root.id {
			return errors.New("the record of this root token is gone")
		}
		change(keys.Glass)
		return nil
	})
}

// collect returns needed shares: ours, or those of people.
func collect(ctx context.Context, set store.KeySet, needed int, ask AskShares) ([]secret.Value, error) {
	if needed == 0 {
		needed = set.Threshold
	}
	if len(set.Shares) >= needed {
		return set.Shares[:needed], nil
	}
	need := ShareNeed{What: string(set.Kind) + " keys", Count: needed}
	for _, share := range set.Custody {
		need.Owners = append(need.Owners, ownerOf(share))
	}
	if ask == nil {
		return nil, fault.Misuse(fmt.Errorf("%d %s are needed, and their owners hold them", needed, need.What), "Give them with --shares-file, or on standard input.")
	}
	return ask(ctx, need)
}

func ownerOf(share store.CustodyShare) string {
	if share.Owner == "" {
		return share.Fingerprint
	}
	return share.Owner
}

// tell tells people what is out of the ordinary.
func (b *Bootstrap) tell(reason, message string) {
	if b.Tell != nil {
		b.Tell(true, reason, message)
	}
}

// mendTime is how long the end of a root token may take, after everything else is over.
const mendTime = 30 * time.Second
