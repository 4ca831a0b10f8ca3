package states

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// Observer looks at Vault and at the records. That it cannot change either is a fact that
// the compiler holds: none of its fields has a method that writes, the login apart, which
// makes a token of its own. TestObserverCannotWrite lists all methods that it can reach.
type Observer struct {
	setting *Setting
	servers cluster.Servers
	records RecordReader // read at each look
	access  opener
	grant   rootViewer
	desired *Desired // what Vault is to hold
	// awaitCustodians is whether to wait for custodians to unseal, instead of ending.
	awaitCustodians bool

	surroundings *surroundings
	attempts     *attempts
	seals        *seals
	recall       *recall // of the walk that is under way
	fixes        *fixes  // that this run has tried
}

// RecordReader reads the records.
type RecordReader interface {
	Keys(ctx context.Context) (store.Keys, error)
	Checkpoint(ctx context.Context) (store.Checkpoint, error)
}

// AnswerSource is a place in which a spooled answer may be found.
type AnswerSource interface {
	Name() string
	Read(ctx context.Context, of spool.Origin) ([][]byte, error)
}

// PodReader looks at the pods that Vault's servers run in.
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
	RefusedForGood() bool
	Accepted()
	Try(ctx context.Context, address string, keys store.Keys) error
	Hint() string
	Flags() string
	Close(ctx context.Context)
}

// rootViewer is what an Observer needs of the break-glass that this process makes.
type rootViewer interface {
	View(address string) (view vault.View, ok bool, err error)
	InUse(id string) bool
}

// noRoot is the grant of an Observer beside which no break-glass is made.
type noRoot struct{}

func (noRoot) View(string) (vault.View, bool, error) { return vault.View{}, false, nil }
func (noRoot) InUse(string) bool                     { return false }

// Sources are what an Observer looks at, and with what.
type Sources struct {
	Setting *Setting
	Cluster *cluster.Cluster
	Records RecordReader
	Access  *login.Access
	Desired *Desired
	// Around, if not nil, looks at the Kubernetes cluster around Vault.
	Around func(ctx context.Context) *harden.Kubernetes
}

// NewObserver returns an Observer that looks at sources, and at nothing else.
func NewObserver(sources Sources) *Observer {
	return &Observer{
		setting: sources.Setting, servers: sources.Cluster, records: sources.Records, access: sources.Access, grant: noRoot{}, desired: sources.Desired,
		surroundings: &surroundings{sources.Setting, sources.Cluster, sources.Around},
		attempts:     &attempts{setting: sources.Setting}, seals: &seals{setting: sources.Setting}, recall: &recall{}, fixes: &fixes{},
	}
}
