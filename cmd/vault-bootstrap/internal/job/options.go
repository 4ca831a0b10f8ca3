package job

import (
	"errors"
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// RunOptions are the flags of 'run'.
type RunOptions struct {
	Store   StoreOptions
	Vault   VaultOptions
	Login   LoginOptions
	Spool   SpoolOptions
	Custody CustodyOptions
	Loss    LossOptions
	Split   splitOptions
	Lease   leaseOptions
	Token   TokenOptions
	Log     logOptions

	Seed              []string
	Until             string
	Timeout, Patience time.Duration
	Parallelism       int
}

// splitOptions say into how many shares to split a new key.
type splitOptions struct {
	Shares, Threshold                 int
	RecoveryShares, RecoveryThreshold int
}

// leaseOptions are the times of the Lease.
type leaseOptions struct {
	Duration, Renew, Retry time.Duration
}

// logOptions say what the log looks like.
type logOptions struct {
	Format, Level string
}

// check refuses what cannot work before anything is touched.
func (o *RunOptions) check() error {
	if err := o.checkKeys(); err != nil {
		return err
	}
	for _, split := range []struct {
		kind              string
		shares, threshold int
	}{{"key", o.Split.Shares, o.Split.Threshold}, {"recovery", o.Split.RecoveryShares, o.Split.RecoveryThreshold}} {
		if split.kind == "recovery" && split.shares == 0 {
			if err := o.checkShareless(); err != nil {
				return err
			}
			continue
		}
		if err := CheckSplit(split.kind, split.shares, split.threshold); err != nil {
			return err
		}
	}
	switch {
	case o.Parallelism < 1:
		return fault.Misuse(fmt.Errorf("--parallelism must be at least 1, got %d", o.Parallelism), "With 1, writes are made one at a time.")
	case o.Timeout <= 0:
		return fault.Misuse(fmt.Errorf("--timeout must be positive, got %s", o.Timeout), "Write it as 10m or 90s.")
	case o.Log.Format != "auto" && o.Log.Format != "json" && o.Log.Format != "terminal":
		return fault.Misuse(fmt.Errorf("--log-format=%q is none of auto, json and terminal", o.Log.Format), "Write one of the three.")
	}
	times := store.LeaseOptions{Holder: "x", Duration: o.Lease.Duration, RenewDeadline: o.Lease.Renew, RetryPeriod: o.Lease.Retry}
	if err := times.Check(); err != nil {
		return fmt.Errorf("--lease-duration, --lease-renew-deadline and --lease-retry-period: %w", err)
	}
	return nil
}

// checkShareless refuses what contradicts --recovery-shares=0.
func (o *RunOptions) checkShareless() error {
	const remedy = "Omit it, or give a number of recovery keys."
	switch {
	case o.given("recovery-threshold") && o.Split.RecoveryThreshold != 0:
		return fault.Misuse(fmt.Errorf("--recovery-shares=0 with --recovery-threshold=%d: there are no recovery keys to need", o.Split.RecoveryThreshold), remedy)
	case len(o.Custody.RecoveryKeys) > 0:
		return fault.Misuse(errors.New("--recovery-shares=0 with --recovery-pgp-keys: there are no recovery keys to give to anybody"), remedy)
	}
	return nil
}

// recovery returns how to split a recovery key. Where there are no shares, none are needed.
func (o splitOptions) recovery() ceremony.KeySplit {
	if o.RecoveryShares == 0 {
		return ceremony.KeySplit{}
	}
	return ceremony.KeySplit{Shares: o.RecoveryShares, Threshold: o.RecoveryThreshold}
}

// maxShares is Vault's own bound, from the field in which it does its arithmetic.
const maxShares = 255

// CheckSplit refuses a split of a key that Vault would refuse.
func CheckSplit(kind string, shares, threshold int) error {
	remedy := fmt.Sprintf("Vault requires 1 ≤ threshold ≤ shares ≤ %d, and a threshold above 1 when there is more than one share.", maxShares)
	if shares < 1 || shares > maxShares || threshold < 1 || threshold > shares || shares > 1 && threshold == 1 {
		return fault.Misuse(fmt.Errorf("--%s-shares=%d with --%s-threshold=%d is not possible", kind, shares, kind, threshold), remedy)
	}
	return nil
}
