package main

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// revokeForeignRoot ends the root tokens that are not ours. It holds the lease, so that
// none of a break-glass at work is among them.
func (p *program) revokeForeignRoot(ctx context.Context, options *verifyOptions) error {
	look, err := p.verifier(ctx, options)
	if err != nil {
		return err
	}
	session, log, err := p.beginHeld(ctx, options.timeout, look.records)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	look.servers.cluster.Guard(session.Alive)
	look.sources.Access.Log = log
	administrator := look.servers.administrator(session, identity(p.env), log)
	administrator.Cluster = look.sources.Cluster // by whose clocks a refusal of our login is explained
	dead, err := ceremony.NewBreakGlass(administrator, options.parallelism).RevokeForeign(ctx, states.OrLockedOut(look.sources.Access))
	for _, token := range dead {
		log.Warn("a root token that is not ours is revoked", "accessor", token.Accessor, "made_at", token.Path, "created", token.Created)
	}
	return err
}
