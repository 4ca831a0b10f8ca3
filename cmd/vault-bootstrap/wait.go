package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

func (p *program) waitCommand() *cobra.Command {
	options := &waitOptions{}
	cmd := &cobra.Command{
		Use:   "wait --for=STATE",
		Short: "Wait until Vault is in a state, for init containers",
		Long: "wait ends when the bootstrap has reached a state or one after it. It needs no keys, and\n" +
			"changes nothing. It reads what the Lease shows, or Vault's own health, or both:\n\n" +
			"  --via=lease   the Lease alone: get on it, and watch to hear of changes at once\n" +
			"  --via=health  Vault alone, and no rights in Kubernetes. A server says of itself whether\n" +
			"                it is initialized and unsealed; that it is seeded or hardened it cannot\n" +
			"                know, so --for=seeded and --for=hardened are refused\n" +
			"  --via=auto    the Lease for what only it can tell, and Vault's health, if an address is\n" +
			"                given, for whether it is open now",
		Example: "  vault-bootstrap wait --for=hardened --namespace=vault --vault-addr=http://vault-active.vault:8200\n" +
			"  vault-bootstrap wait --for=unsealed --via=health --vault-addr=http://vault-active.vault:8200",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.wait(cmd.Context(), options)
		},
	}
	options.register(cmd.Flags())
	return cmd
}

// The values of --via.
const (
	viaAuto   = "auto"
	viaLease  = "lease"
	viaHealth = "health"
)

type waitOptions struct {
	store             job.StoreOptions
	vault             job.VaultOptions
	goal, via         string
	timeout, interval time.Duration
}

func (o *waitOptions) register(flags *pflag.FlagSet) {
	registerStore(flags, &o.store)
	registerVault(flags, &o.vault)
	flags.StringVar(&o.goal, "for", string(fsm.Hardened), "state to wait for: initialized, unsealed, seeded or hardened")
	flags.StringVar(&o.via, "via", viaAuto, "where to look: auto, lease or health")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait")
	flags.DurationVar(&o.interval, "interval", 20*time.Second, "longest wait between two looks where nothing tells of changes; the first one is between a quarter of it and all of it")
}

func (o *waitOptions) check() (fsm.State, error) {
	goal, err := fsm.ParseState(o.goal)
	switch {
	case err != nil || goal == fsm.Uninitialized:
		return "", fault.Misuse(fmt.Errorf("--for=%q is no state to wait for", o.goal), "It is one of initialized, unsealed, seeded and hardened.")
	case o.via != viaAuto && o.via != viaLease && o.via != viaHealth:
		return "", fault.Misuse(fmt.Errorf("--via=%q is none of auto, lease and health", o.via), "Write one of the three.")
	case o.timeout <= 0 || o.interval <= 0:
		return "", fault.Misuse(errors.New("--timeout and --interval must be longer than nothing"), "Write them as 10m and 20s.")
	case o.via == viaHealth && fsm.Unsealed.Before(goal):
		return "", fault.Misuse(fmt.Errorf("the health of Vault does not tell whether it is %s", goal),
			"A server knows only whether it is initialized and unsealed. Write --for=unsealed; or let the Lease tell, with --via=auto and the rights on it.")
	}
	return goal, nil
}

func (p *program) wait(ctx context.Context, options *waitOptions) error {
	goal, err := options.check()
	if err != nil {
		return err
	}
	log := p.logger()
	waiter := &waiter{goal: goal, interval: options.interval, log: log}
	if err := p.findLease(options, waiter); err != nil {
		return err
	}
	if err := p.findHealth(options, waiter); err != nil {
		return err
	}
	if waiter.lease != nil {
		waiter.lease.optional = waiter.health != nil && !fsm.Unsealed.Before(goal)
	}
	if waiter.lease == nil && waiter.health == nil {
		return fault.Misuse(errors.New("there is nothing to look at: neither records nor a Vault address are known"), "Give --vault-addr, or --namespace.")
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, options.timeout)
	defer cancel()
	if err := waiter.wait(ctx); err != nil {
		return err
	}
	log.Info("reached", "state", string(goal), "after", time.Since(began).Round(time.Millisecond).String())
	return nil
}

// logger writes progress for people on a terminal, else JSON lines.
func (p *program) logger() *slog.Logger {
	if isTerminal(p.stderr) {
		return slog.New(slog.NewTextHandler(p.stderr, nil))
	}
	return slog.New(slog.NewJSONHandler(p.stderr, nil))
}

// findLease gives the waiter the Lease, where it is wanted and can be.
func (p *program) findLease(options *waitOptions, w *waiter) error {
	if options.via == viaHealth {
		return nil
	}
	records, _, err := options.store.Open(p.env)
	if err != nil {
		if options.via == viaLease || fsm.Unsealed.Before(w.goal) {
			return err
		}
		return nil // health tells this state, too
	}
	w.lease = &leaseFeed{records: records, interval: options.interval, log: w.log}
	return nil
}

// findHealth gives the waiter Vault's health, where it is wanted and can be.
func (p *program) findHealth(options *waitOptions, w *waiter) error {
	if options.via == viaLease || options.via == viaAuto && !options.vault.Named(p.env) {
		return nil
	}
	// Pods are for those who may read them; an init container elsewhere may not.
	servers, err := options.vault.Open(p.env, nil)
	if err != nil {
		return err
	}
	observer := servers.Observer()
	w.health = func(ctx context.Context) fsm.State { return fsm.Shown(observer.Health(ctx)) }
	return nil
}

var _ follower = (*store.Kube)(nil)
