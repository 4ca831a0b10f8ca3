package main

import (
	"context"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// revokeForeignRoot revokes the root tokens that are not ours. It holds the lease, so that no
// break-glass is running whose token could be among them.
func (p *program) revokeForeignRoot(ctx context.Context, options *verifyOptions) error {
	look, err := options.job.Verifier(ctx, p.env, p.warnings())
	if err != nil {
		return err
	}
	session, log, err := p.beginHeld(ctx, options.timeout, look.Records)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	look.Servers.Cluster.Guard(session.Alive)
	look.Sources.Access.Log = log
	administrator := look.Servers.Administrator(session, job.Identity(p.env), log)
	administrator.Cluster = look.Sources.Cluster // its clocks help to explain a refusal of our login
	dead, err := ceremony.NewBreakGlass(administrator, options.job.Parallelism).RevokeForeign(ctx, states.OrLockedOut(look.Sources.Access))
	for _, token := range dead {
		log.Warn("a root token that is not ours is revoked", "accessor", token.Accessor, "made_at", token.Path, "created", token.Created)
	}
	return err
}
