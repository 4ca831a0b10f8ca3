package states

import (
	"context"
	"crypto/rand"
	"log/slog"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// Records are the records of one holder, fenced by its epoch.
type Records interface {
	RecordReader
	Epoch() int64
	UpdateKeys(ctx context.Context, change func(*store.Keys) error) error
	// Rehearse proves that the keys can be written as change leaves them, and writes nothing.
	Rehearse(ctx context.Context, change func(*store.Keys) error) error
	// Deliver is UpdateKeys without the fence, for keys that exist nowhere else.
	Deliver(ctx context.Context, change func(*store.Keys) error) error
	UpdateCheckpoint(ctx context.Context, change func(*store.Checkpoint) error) error
	Show(ctx context.Context, mirror store.Mirror) error
}

// Bootstrap holds what the acts share: eyes (Observer), a way in and hands. Its
// methods are called by one driver, one after another.
type Bootstrap struct {
	*Setting
	*cluster.Cluster
	*Observer
	access   *login.Access
	admin    *ceremony.Administrator
	glass    *ceremony.BreakGlass
	unsealer *ceremony.Unsealer
	// Records are written by the acts; nil without the Lease.
	Records Records
	// Preflight checks that the store takes what initialization will write, and that nothing
	// endangers it there.
	Preflight func(ctx context.Context) error
	// Split is for a Vault with a Shamir seal, Recovery for one with auto-unseal.
	Split, Recovery ceremony.KeySplit
	// Spool holds the places that keep Vault's answer to sys/init until it is stored.
	Spool []spool.Place
	// Volumes are where the replicas keep their data; nil outside Kubernetes.
	Volumes Volumes
	// Loss says what to do when keys are lost. To reset needs Volumes.
	Loss Loss

	attempt *store.Attempt // the one that this process began
	refusal *refusal       // of an attempt of this process
	usable  []spool.Place  // those of Spool that can take the answer
	alone   waiters        // the empty replicas beside an active node
}

// New returns a Bootstrap of its parts.
func New(members *cluster.Cluster, observer *Observer, access *login.Access) *Bootstrap {
	admin := &ceremony.Administrator{Cluster: members, Dialer: access.Dialer, Log: observer.Log, Now: observer.Now}
	glass := ceremony.NewBreakGlass(admin, observer.Parallelism)
	observer.grant = glass
	return &Bootstrap{Setting: observer.Setting, Cluster: members, Observer: observer, access: access,
		admin: admin, glass: glass, unsealer: &ceremony.Unsealer{Log: observer.Log}}
}

// LogTo has all parts log to log.
func (b *Bootstrap) LogTo(log *slog.Logger) {
	b.Log, b.access.Log, b.admin.Log, b.unsealer.Log = log, log, log, log
}

// NotifyBy has people be told of what is out of the ordinary.
func (b *Bootstrap) NotifyBy(notify func(warning bool, reason, message string)) {
	b.admin.Notify = notify
}

// BreakGlass makes a root token from the key shares.
func (b *Bootstrap) BreakGlass() *ceremony.BreakGlass { return b.glass }

// Adopt takes over a Vault that somebody else has initialized.
func (b *Bootstrap) Adopt(ctx context.Context, offer shares.Material, waiting func(err error, attempt int)) error {
	return b.admin.Adopt(ctx, offer, b.ownLogin, waiting)
}

// AwaitCustodians has us wait until people have unsealed, instead of ending.
func (b *Bootstrap) AwaitCustodians(wait bool) {
	b.WaitForUnseal, b.unsealer.WaitForUnseal = wait, wait
}

// Access is how later runs log in.
func (b *Bootstrap) Access() *login.Access { return b.access }

// Close ends what is open in Vault.
func (b *Bootstrap) Close(ctx context.Context) { b.access.Close(ctx) }

// Desire sets what Vault is to hold from now on.
func (b *Bootstrap) Desire(desired *Desired) { b.desired = desired }

// behind returns the session that a look was made with; nil if it is not kept any more.
func (b *Bootstrap) behind(view vault.View) *vault.Session {
	if session := b.glass.Behind(view); session != nil {
		return session
	}
	return b.access.Behind(view)
}

// Keep has the answer of Vault to sys/init kept in places until it is stored, and looked
// for there.
func (b *Bootstrap) Keep(places []spool.Place) {
	b.Spool, b.Spools = places, nil
	for _, place := range places {
		b.Spools = append(b.Spools, place)
	}
}

// Acts returns the act of every event.
func (b *Bootstrap) Acts() map[fsm.Event]fsm.Act[*Look] {
	return map[fsm.Event]fsm.Act[*Look]{
		fsm.Initialize: b.anew(b.initialize),
		fsm.Unseal:     b.anew(b.unseal),
		fsm.Seed:       b.seed,
		fsm.Harden:     b.harden,
		fsm.Seal:       b.anew(b.observe("Vault was sealed since the last run")),
		fsm.Drift:      b.observe("Vault no longer matches the seed"),
		fsm.Weaken:     b.observe("a required control no longer holds"),
	}
}

// anew returns an act after which nothing is known of Vault any more.
func (b *Bootstrap) anew(act fsm.Act[*Look]) fsm.Act[*Look] {
	return func(ctx context.Context, look *Look) error {
		defer b.recall.forget()
		return act(ctx, look)
	}
}

// Hold begins a walk, whose records are fenced: nothing is taken over from an earlier one.
func (b *Bootstrap) Hold(records Records) {
	b.Records, b.admin.Records, b.admin.Holder = records, records, b.Holder
	b.recall = &recall{}
}

// LetGo ends a walk. What looks from now on reads everything.
func (b *Bootstrap) LetGo() { b.recall = nil }

// observe is the act of the events that the world brings about by itself: the
// change has happened, what is left is to say so.
func (b *Bootstrap) observe(what string) fsm.Act[*Look] {
	return func(context.Context, *Look) error {
		b.Log.Warn(what)
		return nil
	}
}

// newID returns a random, unique name of 26 letters and digits.
func newID() string { return rand.Text() }

// newSecret returns a secret of 128 random bits.
func newSecret() secret.Value { return secret.New(rand.Text()) }
