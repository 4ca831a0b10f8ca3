// Package wait waits until Vault is in a state, by what the Lease shows and by Vault's own health.
// It needs no keys, changes nothing, and sends as few requests as it can, since many may wait for
// one Vault.
package wait

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// The values of --via.
const (
	ViaAuto   = "auto"
	viaLease  = "lease"
	viaHealth = "health"
)

// Options say what to wait for, and what to read.
type Options struct {
	Store             job.StoreOptions
	Vault             job.VaultOptions
	Goal, Via         string
	Timeout, Interval time.Duration
}

func (o *Options) check() (fsm.State, error) {
	goal, err := fsm.ParseState(o.Goal)
	switch {
	case err != nil || goal == fsm.Uninitialized:
		return "", fault.Misuse(fmt.Errorf("--for=%q is not a state to wait for", o.Goal), "It is one of initialized, unsealed, seeded and hardened.")
	case o.Via != ViaAuto && o.Via != viaLease && o.Via != viaHealth:
		return "", fault.Misuse(fmt.Errorf("--via=%q is none of auto, lease and health", o.Via), "Write one of the three.")
	case o.Timeout <= 0 || o.Interval <= 0:
		return "", fault.Misuse(errors.New("--timeout and --interval must be positive"), "Write them as 10m and 20s.")
	case o.Via == viaHealth && fsm.Unsealed.Before(goal):
		return "", fault.Misuse(fmt.Errorf("the health of Vault does not show whether it is %s", goal),
			"A server knows only whether it is initialized and unsealed. Write --for=unsealed; or read the Lease, with --via=auto and permission to get it.")
	}
	return goal, nil
}

// Until waits until Vault is in the state that the options say, or one after it.
func Until(ctx context.Context, env job.Lookup, options *Options, log *slog.Logger) error {
	goal, err := options.check()
	if err != nil {
		return err
	}
	waiter := &waiter{goal: goal, interval: options.Interval, log: log}
	if err := waiter.findLease(env, options); err != nil {
		return err
	}
	if err := waiter.findHealth(env, options); err != nil {
		return err
	}
	if waiter.lease != nil {
		waiter.lease.optional = waiter.health != nil && !fsm.Unsealed.Before(goal)
	}
	if waiter.lease == nil && waiter.health == nil {
		return fault.Misuse(errors.New("there is nothing to read: neither records nor a Vault address are known"), "Give --vault-addr, or --namespace.")
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, options.Timeout)
	defer cancel()
	if err := waiter.wait(ctx); err != nil {
		return err
	}
	log.Info("reached", "state", string(goal), "after", time.Since(began).Round(time.Millisecond).String())
	return nil
}

// findLease gives the waiter the Lease, if it is wanted and available.
func (w *waiter) findLease(env job.Lookup, options *Options) error {
	if options.Via == viaHealth {
		return nil
	}
	records, _, err := options.Store.Open(env)
	if err != nil {
		if options.Via == viaLease || fsm.Unsealed.Before(w.goal) {
			return err
		}
		return nil // health shows this state, too
	}
	w.lease = &leaseFeed{records: records, interval: options.Interval, log: w.log}
	return nil
}

// findHealth gives the waiter Vault's health, if it is wanted and available.
func (w *waiter) findHealth(env job.Lookup, options *Options) error {
	if options.Via == viaLease || options.Via == ViaAuto && !options.Vault.Named(env) {
		return nil
	}
	// Without pods: an init container elsewhere may not read them.
	servers, err := options.Vault.Open(env, nil)
	if err != nil {
		return err
	}
	members := servers.Members()
	w.health = func(ctx context.Context) fsm.State { return members.Health(ctx).Shown() }
	return nil
}
