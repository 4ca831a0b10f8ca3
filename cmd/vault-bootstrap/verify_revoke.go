package main

import (
	"context"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// revokeForeignRoot ends the root tokens that are not ours. It holds the lease, so that
// none of a break-glass at work is among them.
func (p *program) revokeForeignRoot(ctx context.Context, options *verifyOptions) (err error) {
	records, kind, err := options.store.open(p.env)
	if err != nil {
		return err
	}
	servers, err := options.vault.open(p.env, podsBeside(records))
	if err != nil {
		return err
	}
	login, err := options.login.resolve(p.env, kind, options.store.name, options.vault.certificate(p.env))
	if err != nil {
		return err
	}
	session, log, err := p.beginHeld(ctx, options.timeout, records)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	servers.cluster.Guard(session.Alive)
	bootstrap := &states.Bootstrap{
		Records: session, Doorman: servers.cluster, Login: login, Name: options.store.name, Log: log, Now: time.Now,
		Holder: identity(p.env), Parallelism: options.parallelism,
	}
	servers.assign(bootstrap)
	dead, err := bootstrap.RevokeForeignRoot(ctx)
	for _, token := range dead {
		log.Warn("a root token that is not ours is revoked", "accessor", token.Accessor, "made_at", token.Path, "created", token.Created)
	}
	return err
}
