// Package ceremony implements what is done with the key shares of a Vault: adopting those of
// others, exchanging them, retiring them, giving them to a sealed replica, and generating a root
// token from them where nothing else helps.
//
// A ceremony that was cut off leaves a record, by which the next run recognizes and ends it. The
// package must not know how later runs log in, nor what a run wants of Vault.
package ceremony

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// Records are the records of the holder of the Lease.
type Records interface {
	Keys(ctx context.Context) (store.Keys, error)
	UpdateKeys(ctx context.Context, change func(*store.Keys) error) error
	UpdateCheckpoint(ctx context.Context, change func(*store.Checkpoint) error) error
}

// Dialer opens sessions at a replica.
type Dialer interface {
	Session(address string, token secret.Value) (*vault.Session, error)
}

// Administrator carries out ceremonies, one after another. It needs the Lease.
type Administrator struct {
	Cluster *cluster.Cluster
	Records Records
	Dialer  Dialer
	// LogIns authorize a ceremony where the server asks for a token and none is given; they are
	// tried in order.
	LogIns []LogIn
	// Holder is this process's identity.
	Holder string
	Log    *slog.Logger
	Now    func() time.Time
	// Notify, if not nil, notifies operators of unusual events, beside the log: reason is one
	// CamelCase word, as in a Kubernetes Event.
	Notify func(warning bool, reason, message string)
}

// notify warns operators of an unusual event.
func (a *Administrator) notify(reason, message string) {
	if a.Notify != nil {
		a.Notify(true, reason, message)
	}
}

const unsealFirst = "Vault must be unsealed first: by 'vault-bootstrap run --until=unsealed', or by the custodians of the key shares."

// errSealed means that no replica can become active before somebody unseals one.
var errSealed = errors.New("no replica is active: Vault is sealed")

// sealed reports whether all replicas say that they are sealed, apart from empty ones. One that does
// not answer may be active.
func sealed(replicas fsm.Replicas) bool {
	found := false
	for _, replica := range replicas {
		if replica.Health != fsm.Sealed && replica.Health != fsm.NotInitialized {
			return false
		}
		found = found || replica.Health == fsm.Sealed
	}
	return found
}

// activeOfOurs returns the active replica of the cluster whose keys we hold: shares and tokens are
// sent to no other.
func (a *Administrator) activeOfOurs(ctx context.Context, keys store.Keys) (cluster.Replica, error) {
	if keys.Set == nil {
		return nil, fault.Misuse(errors.New("no keys are stored"), "Check --store, --name and --namespace. A Vault that somebody else has initialized is taken over by 'vault-bootstrap adopt'.")
	}
	replicas, err := cluster.Look(ctx, a.Cluster, nil)
	if err != nil {
		return nil, err
	}
	active, found := replicas.Active()
	switch {
	case !found && sealed(replicas):
		return nil, fault.Wait(errSealed, unsealFirst)
	case !found:
		return nil, fault.Wait(errors.New("no replica is active"), unsealFirst)
	case keys.Set.ClusterID != "" && active.ClusterID != "" && keys.Set.ClusterID != active.ClusterID:
		return nil, fsm.ForeignCluster(keys.Set.ClusterID, active)
	}
	return a.Cluster.At(active.Address), nil
}

// newID returns a random, unique name of 26 letters and digits.
func newID() string { return rand.Text() }
