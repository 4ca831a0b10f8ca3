package main

import (
	"context"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// killVault kills the server, and starts it again.
func (sc *scene) killVault(ctx context.Context) error {
	sc.vaultDied = true
	if err := sc.strike(ctx, "Vault", sc.vault.Nodes[0].Kill); err != nil {
		return err
	}
	return sc.vault.Nodes[0].Start(ctx)
}

// vaultKilledAtRandom kills Vault at any moment of a run.
func vaultKilledAtRandom(ctx context.Context, sc *scene) error {
	p, err := sc.atSomeMoment(ctx, func(*driver.Process) error { return sc.killVault(ctx) })
	if err != nil {
		return err
	}
	return sc.ended(ctx, p.Wait())
}

// initTimes are how long sys/init takes, by storage.
var initTimes = map[string]time.Duration{"file": 60 * time.Millisecond, "raft": 2 * time.Second}

// vaultKilledInInit kills Vault while it works on sys/init.
func vaultKilledInInit(ctx context.Context, sc *scene) error {
	p, err := sc.start(ctx, sc.options())
	if err != nil {
		return err
	}
	select {
	case <-sc.lines[0].tap.initBegan:
	case <-p.Ended():
		return fmt.Errorf("the run ended before sys/init\n%s", p.Wait().Stderr)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := pause(ctx, sc.between(0, initTimes[sc.storage])); err != nil {
		return err
	}
	if err := sc.killVault(ctx); err != nil {
		return err
	}
	return sc.ended(ctx, p.Wait())
}
