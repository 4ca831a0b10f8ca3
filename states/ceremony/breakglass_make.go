package ceremony

import (
	"context"
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// makeRoot begins our attempt, gives the shares, and stores the token.
func (g *BreakGlass) makeRoot(ctx context.Context, replica cluster.Replica, via vault.Endpoints, set store.KeySet, intent store.RootGrant, why Emergency) error {
	beginning, cancel, err := untilAnswered(ctx, "generating a root token at "+replica.Address())
	if err != nil {
		return err
	}
	defer cancel()
	begun, err := replica.BeginRoot(beginning, via, intent.PublicKey)
	if vault.Says(err, product.RootInProgress) {
		return rootInProgress(vault.RootAttempt{Nonce: "unknown"})
	}
	if err != nil {
		return rootRefused(replica.Address(), via, err)
	}
	point.Reach("breakglass.begun")
	given, err := collect(ctx, set, begun.Required, why.Ask)
	if err != nil {
		return err
	}
	answer, err := g.giveRoot(ctx, replica, via, begun, given)
	if err != nil {
		return err
	}
	token, err := pgp.Decrypt(intent.PrivateKey, answer.Token)
	if err != nil {
		return fmt.Errorf("opening the root token: %w", err)
	}
	g.root.token = token
	point.Reach("breakglass.made")
	if err := g.update(ctx, func(record *store.RootGrant) { record.Token = token }); err != nil {
		return err
	}
	point.Reach("breakglass.stored")
	session, err := g.session(replica.Address())
	if err != nil {
		return err
	}
	identity, err := session.InRoot().Identity(ctx)
	if err != nil {
		return fmt.Errorf("looking up the root token: %w", err)
	}
	g.root.accessor = identity.Accessor
	return g.update(ctx, func(record *store.RootGrant) { record.Accessor = identity.Accessor })
}

// giveRoot gives the shares. Before the last one it records that there may be a token from now on.
func (g *BreakGlass) giveRoot(ctx context.Context, replica cluster.Replica, via vault.Endpoints, begun vault.RootAttempt, given []secret.Value) (vault.RootAttempt, error) {
	var answer vault.RootAttempt
	for i, share := range given {
		if i == len(given)-1 {
			health, err := replica.Health(ctx)
			if err != nil {
				return answer, fmt.Errorf("asking for Vault's time: %w", err)
			}
			if err := g.update(ctx, func(record *store.RootGrant) { record.Finishing = health.ServerTime }); err != nil {
				return answer, err
			}
			point.Reach("breakglass.finishing")
			// Only we could revoke the token that the answer holds.
			last, cancel, err := untilAnswered(ctx, "generating a root token at "+replica.Address())
			if err != nil {
				return answer, err
			}
			defer cancel()
			ctx = last
		}
		var err error
		if answer, err = replica.GiveRoot(ctx, via, begun.Nonce, share); err != nil {
			return answer, rootAnswer(replica.Address(), err)
		}
	}
	if !answer.Complete || answer.Token == "" {
		return answer, fmt.Errorf("%s was given all shares, but answers without a root token", replica.Address())
	}
	return answer, nil
}

func (g *BreakGlass) update(ctx context.Context, change func(*store.RootGrant)) error {
	return g.admin.Records.UpdateKeys(ctx, func(keys *store.Keys) error {
		if keys.RootGrant == nil || g.root == nil || keys.RootGrant.ID != g.root.id {
			return errors.New("the record of this root token is gone")
		}
		change(keys.RootGrant)
		return nil
	})
}
