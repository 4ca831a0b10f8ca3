// Package cluster knows the replicas of one Vault: which ones there are, what each can be asked,
// and how healthy they are.
//
// It asks servers what they answer without a token, and translates that into fsm's terms. It must
// not know the records, logins or key shares, nor what is done about what it sees.
package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Server is the read-only side of one Vault server: no method changes it or needs our login.
type Server interface {
	Address() string
	Health(ctx context.Context) (vault.Health, error)
	SealStatus(ctx context.Context) (vault.SealStatus, error)
	Leader(ctx context.Context) (string, error)
	Glimpse(ctx context.Context, path string) (vault.Glimpse, error)
	// Rekey and RootAttempt return the progress of a ceremony that somebody has begun.
	Rekey(ctx context.Context, recovery bool, via vault.Endpoints) (vault.RekeyStatus, error)
	RootAttempt(ctx context.Context, via vault.Endpoints) (vault.RootAttempt, error)
}

// Replica is one Vault server, with everything that can be done to it without a login.
type Replica interface {
	Server
	Unseal(ctx context.Context, share secret.Value) (vault.SealStatus, error)
	ResetUnseal(ctx context.Context) (vault.SealStatus, error)
	Initialize(ctx context.Context, request vault.InitRequest) (vault.InitAnswer, error)
	Join(ctx context.Context, leader string) error
	BeginRekey(ctx context.Context, recovery bool, via vault.Endpoints, request vault.RekeyRequest) (vault.RekeyStatus, error)
	GiveRekey(ctx context.Context, recovery bool, via vault.Endpoints, nonce string, share secret.Value) (vault.RekeyStatus, error)
	CancelRekey(ctx context.Context, recovery bool, via vault.Endpoints, nonce string) error
	VerifyRekey(ctx context.Context, recovery bool, via vault.Endpoints, nonce string, share secret.Value) (vault.RekeyStatus, error)
	BeginRoot(ctx context.Context, via vault.Endpoints, publicKey string) (vault.RootAttempt, error)
	GiveRoot(ctx context.Context, via vault.Endpoints, nonce string, share secret.Value) (vault.RootAttempt, error)
	CancelRoot(ctx context.Context, via vault.Endpoints) error
}

// Cluster is the replicas of one Vault.
type Cluster struct {
	// Replicas are the servers, lowest ordinal first. Discover replaces them.
	Replicas []Replica
	// Discover, if not nil, finds out which replicas there are now, and how many are expected; 0 if
	// that is not known.
	Discover func(ctx context.Context) (found []Replica, expected int, err error)
	// Expected is how many replicas are expected; 0 if not known. Nothing is initialized before
	// that many are known.
	Expected int
}

// Servers is the read-only side of a Cluster.
type Servers interface {
	// Refresh finds out which servers there are.
	Refresh(ctx context.Context) error
	// Servers returns them, lowest ordinal first.
	Servers() []Server
	// Awaited returns how many are expected; 0 if that is not known.
	Awaited() int
}

// Refresh finds out which replicas there are.
func (c *Cluster) Refresh(ctx context.Context) error {
	if c.Discover == nil {
		return nil
	}
	replicas, expected, err := c.Discover(ctx)
	if err != nil {
		return fmt.Errorf("finding the replicas: %w", err)
	}
	c.Replicas = replicas
	if expected > 0 {
		c.Expected = expected
	}
	return nil
}

// Servers returns the replicas as read-only servers.
func (c *Cluster) Servers() []Server {
	servers := make([]Server, len(c.Replicas))
	for i, replica := range c.Replicas {
		servers[i] = replica
	}
	return servers
}

// Awaited returns how many replicas are expected.
func (c *Cluster) Awaited() int { return c.Expected }

// ServerAt returns the server at address; nil if there is none.
func ServerAt(among Servers, address string) Server {
	for _, server := range among.Servers() {
		if server.Address() == address {
			return server
		}
	}
	return nil
}

// At returns the replica at address; nil if there is none.
func (c *Cluster) At(address string) Replica {
	for _, replica := range c.Replicas {
		if replica.Address() == address {
			return replica
		}
	}
	return nil
}

// Clock returns the time of the server at address.
func (c *Cluster) Clock(ctx context.Context, address string) (time.Time, error) {
	replica := c.At(address)
	if replica == nil {
		return time.Time{}, fmt.Errorf("no replica is at %q", address)
	}
	health, err := replica.Health(ctx)
	return health.ServerTime, err
}

// Health returns the health of each replica, which needs no token.
func (c *Cluster) Health(ctx context.Context) fsm.Replicas {
	replicas, _ := Look(ctx, c, nil)
	return replicas
}
