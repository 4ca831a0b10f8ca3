package states

import (
	"context"
	"errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// Observer reads Vault and the records. The compiler makes sure that it cannot change either: none
// of its fields has a method that writes, except for the login, which creates its own token.
// TestObserverCannotWrite lists all methods that it can reach.
type Observer struct {
	setting *Setting
	servers cluster.Servers
	records RecordReader // read at each look
	access  opener
	grant   rootViewer
	given   *GivenToken // nil if there is none
	desired *Desired    // the desired state of Vault
	// awaitCustodians is whether to wait for custodians to unseal, instead of failing.
	awaitCustodians bool

	surroundings *surroundings
	attempts     *attempts
	seals        *seals
	recall       *recall // of the current walk
	fixes        *fixes  // that this run has tried
	own          ownLogin
}

// ownLogin is what an Observer knows of our own login between looks.
type ownLogin struct {
	// lacking is whether it was said that our login may not do a ceremony.
	lacking bool
	// growthLacks is why our policy does not grow with the seed, as it was last seen; empty if it does.
	growthLacks string
	// growth is what the latest look by our login has seen of it; nil before the first.
	growth *growth
	// rootEnded is whether this process has ended root, and not seen the cluster hardened since.
	rootEnded bool
}

// RecordReader reads the records.
type RecordReader interface {
	Keys(ctx context.Context) (store.Keys, error)
	// Outline returns the keys without opening their record: see store.Store.
	Outline(ctx context.Context) (store.Keys, error)
	Checkpoint(ctx context.Context) (store.Checkpoint, error)
}

// AnswerSource is a location where a spooled answer may be found.
type AnswerSource interface {
	Name() string
	Read(ctx context.Context, of spool.Origin) ([][]byte, error)
}

// PodReader reads the pods that Vault's servers run in.
type PodReader interface {
	// Life returns the life that the server at address is in; workload.ErrNoPod if
	// that cannot be known.
	Life(ctx context.Context, address string) (workload.Life, error)
	// Ended reports whether the pod called name has ended, or is gone.
	Ended(ctx context.Context, name string) (bool, error)
}

// opener is what an Observer needs of a login.Access.
type opener interface {
	With(address string, token secret.Value) (vault.View, error)
	Ours(ctx context.Context, address string, keys store.Keys) (view vault.View, fresh bool, err error)
	OnlyReads() bool
	Lapse()
	RefusedPermanently() bool
	Accepted()
	Try(ctx context.Context, address string, keys store.Keys) error
	Hint() string
	Flags() string
	Close(ctx context.Context)
}

// rootViewer is what an Observer needs of this process's break-glass.
type rootViewer interface {
	View(address string) (view vault.View, ok bool, err error)
	InUse(id string) bool
}

// noRoot is the grant of an Observer in a process without break-glass.
type noRoot struct{}

func (noRoot) View(string) (vault.View, bool, error) { return vault.View{}, false, nil }
func (noRoot) InUse(string) bool                     { return false }

// Sources are what an Observer reads, and what it reads with.
type Sources struct {
	Setting *Setting
	Cluster *cluster.Cluster
	Records RecordReader
	Access  *login.Access
	Desired *Desired
	Outside Outside
}

// Outside is what the controls judge that no server shows.
type Outside struct {
	// Around, if not nil, reads the Kubernetes cluster around Vault.
	Around func(ctx context.Context) *harden.Kubernetes
	// Record returns what is judged of a keys record. It is not read if this is nil.
	Record func(ctx context.Context, keys store.Keys) harden.Record
}

// NewObserver returns an Observer that reads sources, and nothing else.
func NewObserver(sources Sources) *Observer {
	return &Observer{
		setting: sources.Setting, servers: sources.Cluster, records: sources.Records, access: sources.Access, grant: noRoot{}, desired: sources.Desired,
		surroundings: &surroundings{sources.Setting, sources.Cluster, sources.Outside},
		attempts:     &attempts{setting: sources.Setting}, seals: &seals{setting: sources.Setting}, recall: &recall{}, fixes: &fixes{},
	}
}

// readKeys reads the keys record. If it is encrypted and cannot be opened, it returns what is known
// without that, and why.
func readKeys(ctx context.Context, records RecordReader) (keys store.Keys, locked, err error) {
	keys, err = records.Keys(ctx)
	if !errors.Is(err, store.ErrLocked) {
		return keys, nil, err
	}
	locked = err
	keys, err = records.Outline(ctx)
	return keys, locked, err
}

// refusePutBack fails if the keys record is older than the checkpoint knows it. Both were read without
// the Lease, the keys first: a run may have written both in between, so that they are read once more
// before they are blamed.
func (o *Observer) refusePutBack(ctx context.Context, look *Look) error {
	if !look.StoredKeys.OlderThan(look.Checkpoint.HighWater) {
		return nil
	}
	var err error
	if look.StoredKeys, look.Locked, err = readKeys(ctx, o.records); err != nil {
		return err
	}
	look.Observation.Trouble = look.Locked
	return store.RefuseOlder(keysRecord(o.setting.Name), look.StoredKeys, look.Checkpoint.HighWater)
}
