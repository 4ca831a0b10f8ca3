package states

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/shares"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
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

// held holds the records of the current walk; nil before the first one.
type held struct{ Records }

// Config is what a Bootstrap is made of.
type Config struct {
	Sources
	// SpoolLocations keep Vault's answer to sys/init until it is stored, and are searched for it.
	SpoolLocations []spool.Location
	// Preflight checks that the store takes what initialization will write, and that nothing
	// endangers it there.
	Preflight func(ctx context.Context) error
	// Split is for a Vault with a Shamir seal, Recovery for one with auto-unseal.
	Split, Recovery ceremony.KeySplit
	// Pods are the pods of the replicas; nil outside Kubernetes.
	Pods PodReader
	// Loss says what to do when keys are lost.
	Loss Loss
	// RespectSeal is whether a replica that somebody has sealed stays so. It needs Pods.
	RespectSeal bool
	// Given is the token that a person lends to this run; nil if there is none. It needs a Setting
	// that is Keyless.
	Given *GivenToken
	// AwaitCustodians is whether to wait for custodians to unseal, instead of failing.
	AwaitCustodians bool
}

// Bootstrap takes a Vault to its goal: it looks, settles and acts. Its methods are called by
// one driver, one after another.
type Bootstrap struct {
	setting  *Setting
	observer *Observer
	opener   *Opener
	admin    *ceremony.Administrator
	sessions *sessions
	records  *held

	initializing *initializing
	unsealing    *unsealing
	joining      *joining
	seeding      *seeding
	hardening    *hardening
	settling     *settling
	recording    *recording
	resetting    *resetting
}

// New returns a Bootstrap.
func New(config Config) *Bootstrap {
	setting, members, records := config.Setting, config.Cluster, &held{}
	setting.done = &done{}
	admin := &ceremony.Administrator{Cluster: members, Dialer: config.Access.Dialer, LogIns: CeremonyLogins(config.Access, setting.Name), Holder: setting.Holder, Log: setting.Log, Now: setting.Now}
	sessions := &sessions{config.Access, ceremony.NewBreakGlass(admin, setting.Reads)}
	responses := &responses{setting.Now, config.Split, config.Recovery}
	delivery := &Delivery{records: records, log: setting.Log, responses: responses, locations: config.SpoolLocations}
	opener := &Opener{setting, members, &ceremony.Unsealer{Log: setting.Log, WaitForUnseal: config.AwaitCustodians, Opened: func(address string) { setting.done.note((*Changes).unsealed, address) }}, responses}
	observer := NewObserver(config.Sources)
	observer.grant, observer.given, observer.awaitCustodians = sessions.breakGlass, config.Given, config.AwaitCustodians
	observer.attempts.pods, observer.seals.pods, observer.seals.respected = config.Pods, config.Pods, config.RespectSeal
	for _, location := range config.SpoolLocations {
		observer.attempts.spools = append(observer.attempts.spools, location)
	}
	hardening := &hardening{setting, records, observer, sessions, delivery}
	return &Bootstrap{
		setting: setting, observer: observer, opener: opener, admin: admin, sessions: sessions, records: records,
		initializing: &initializing{setting: setting, cluster: members, records: records, delivery: delivery, attempts: observer.attempts, preflight: config.Preflight},
		unsealing:    &unsealing{opener, records, delivery},
		joining:      &joining{setting: setting, cluster: members},
		seeding:      &seeding{setting: setting, records: records, sessions: sessions, observer: observer, hardening: hardening},
		hardening:    hardening,
		settling:     &settling{setting, records, sessions, admin, delivery},
		recording:    &recording{setting: setting, records: records, observer: observer},
		resetting:    &resetting{setting, records, config.Loss, observer.attempts},
	}
}

// Acts returns the act of every event.
func (b *Bootstrap) Acts() map[fsm.Event]fsm.Act[*Look] {
	initialize, unseal := b.initializing.act, b.unsealing.act
	if b.setting.Keyless {
		initialize, unseal = notOurs("initialize"), notOurs("unseal")
	}
	return map[fsm.Event]fsm.Act[*Look]{
		fsm.Initialize: b.thenForget(initialize),
		fsm.Unseal:     b.thenForget(unseal),
		fsm.Seed:       b.seeding.act,
		fsm.Harden:     b.hardening.act,
		fsm.Seal:       b.thenForget(b.observed(fsm.Seal)),
		fsm.Drift:      b.observed(fsm.Drift),
		fsm.Weaken:     b.observed(fsm.Weaken),
	}
}

// notOurs returns an act that does nothing: where the keys are elsewhere, Locate leads to no such
// event, and this makes sure that nothing else does.
func notOurs(what string) fsm.Act[*Look] {
	return func(context.Context, *Look) error {
		return fmt.Errorf("the keys are not ours: it is not for us to %s this Vault", what)
	}
}

// thenForget returns an act after which everything is read from Vault again.
func (b *Bootstrap) thenForget(act fsm.Act[*Look]) fsm.Act[*Look] {
	return func(ctx context.Context, look *Look) error {
		defer b.observer.recall.forget()
		return act(ctx, look)
	}
}

// observed returns the act of an event that nobody triggers here: the change has already happened,
// and is only logged.
func (b *Bootstrap) observed(event fsm.Event) fsm.Act[*Look] {
	return func(ctx context.Context, look *Look) error {
		reason, level := look.Explain(event), slog.LevelWarn
		if reason.Asked {
			level = slog.LevelInfo
		}
		b.setting.Log.Log(ctx, level, reason.Text)
		return nil
	}
}

// Settle ends or records what a look has found unsettled, and reports whether that changed
// anything, so that another look is needed. Only the holder of the Lease settles: without it, the
// process that left something behind may still be at work.
func (b *Bootstrap) Settle(ctx context.Context, look *Look) (changed bool, err error) {
	return b.settling.settle(ctx, look)
}

// Tend joins and unseals the replicas that lag behind a running cluster.
func (b *Bootstrap) Tend(ctx context.Context, look *Look) error {
	b.joining.join(ctx, look.Observation.Replicas)
	if len(look.Observation.Replicas.ToUnseal()) == 0 || b.setting.Keyless {
		return nil
	}
	return b.unsealing.act(ctx, look)
}

// Rescue starts over from an initialization of ours whose keys are lost, if that is what the
// Loss says.
func (b *Bootstrap) Rescue(ctx context.Context, look *Look, lost error) error {
	return b.resetting.rescue(ctx, look, lost)
}

// Enter saves the checkpoint and mirrors it onto the Lease.
func (b *Bootstrap) Enter(ctx context.Context, look *Look, t fsm.Transition) error {
	return b.recording.enter(ctx, look, t)
}

// Finish records how a run ended: its failure, or that it recovered from an earlier one and, if its
// goal was to apply the seed, which one it has applied.
func (b *Bootstrap) Finish(ctx context.Context, failure error, goal fsm.State) error {
	return b.recording.finish(ctx, failure, !goal.Before(fsm.Seeded))
}

// Look observes the replicas, the records and, where it can log in, what is inside Vault.
func (b *Bootstrap) Look(ctx context.Context) (*Look, error) { return b.observer.Look(ctx) }

// LookOutside observes the replicas and the records, and nothing inside Vault.
func (b *Bootstrap) LookOutside(ctx context.Context) (*Look, error) {
	return b.observer.LookOutside(ctx)
}

// Health returns how each replica is.
func (b *Bootstrap) Health(ctx context.Context) fsm.Replicas { return b.observer.Health(ctx) }

// OpenSealed opens the sealed replicas of a look without the Lease, and writes no record.
func (b *Bootstrap) OpenSealed(ctx context.Context, look *Look) error {
	return b.opener.OpenSealed(ctx, look)
}

// Adopt takes over a Vault that somebody else has initialized.
func (b *Bootstrap) Adopt(ctx context.Context, offer shares.Material, waiting func(err error, attempt int)) error {
	return b.admin.Adopt(ctx, offer, b.observer.ownLogin, waiting)
}

// MakeKeys has a server without recovery keys make some, and stores them.
func (b *Bootstrap) MakeKeys(ctx context.Context, x ceremony.Exchange) error {
	return ceremony.MakeKeys(ctx, b.admin, x)
}

// BreakGlass returns what generates a root token from the key shares.
func (b *Bootstrap) BreakGlass() *ceremony.BreakGlass { return b.sessions.breakGlass }

// Setting is what all parts of a bootstrap share.
type Setting struct {
	// Name is the name of our records, of our policy and of our role.
	Name string
	// Holder is this process's identity, Pod the name of its Pod and Process its name on
	// this machine; both are empty where there is none.
	Holder, Pod, Process string
	// Keyless is whether the keys of Vault are not ours (--keys=none): somebody else initializes it
	// and unseals it, and nothing that opens it is ever stored.
	Keyless bool
	// Writes and Reads are how many of each may be in flight to Vault.
	Writes, Reads int
	Log           *slog.Logger
	Now           func() time.Time

	done *done // what the walk has changed; nil in a process that does not walk
}
