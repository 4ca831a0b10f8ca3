package main

import (
	"fmt"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// runOptions are the flags of 'run'.
type runOptions struct {
	store   storeOptions
	vault   vaultOptions
	login   loginOptions
	spool   spoolOptions
	custody custodyOptions
	loss    lossOptions
	split   splitOptions
	lease   leaseOptions
	log     logOptions

	seed              []string
	until             string
	timeout, patience time.Duration
	parallelism       int
}

// splitOptions say into how many shares a new key is split.
type splitOptions struct {
	shares, threshold                 int
	recoveryShares, recoveryThreshold int
}

// leaseOptions are the times of the Lease.
type leaseOptions struct {
	duration, renew, retry time.Duration
}

// logOptions say what the log looks like.
type logOptions struct {
	format, level string
}

// check refuses what cannot work before anything is touched.
func (o *runOptions) check() error {
	for _, split := range []struct {
		kind              string
		shares, threshold int
	}{{"key", o.split.shares, o.split.threshold}, {"recovery", o.split.recoveryShares, o.split.recoveryThreshold}} {
		if err := checkSplit(split.kind, split.shares, split.threshold); err != nil {
			return err
		}
	}
	switch {
	case o.parallelism < 1:
		return fault.Misuse(fmt.Errorf("--parallelism=%d is less than 1", o.parallelism), "One call at a time is the least.")
	case o.timeout <= 0:
		return fault.Misuse(fmt.Errorf("--timeout=%s is no time", o.timeout), "Write it as 10m or 90s.")
	case o.log.format != "auto" && o.log.format != "json" && o.log.format != "terminal":
		return fault.Misuse(fmt.Errorf("--log-format=%q is none of auto, json and terminal", o.log.format), "Write one of the three.")
	}
	times := store.LeaseOptions{Holder: "x", Duration: o.lease.duration, RenewDeadline: o.lease.renew, RetryPeriod: o.lease.retry}
	if err := times.Check(); err != nil {
		return fmt.Errorf("--lease-duration, --lease-renew-deadline and --lease-retry-period: %w", err)
	}
	return nil
}

// mostShares is Vault's own bound, from the field in which it does its arithmetic.
const mostShares = 255

func checkSplit(kind string, shares, threshold int) error {
	remedy := fmt.Sprintf("Vault wants 1 ≤ threshold ≤ shares ≤ %d, and a threshold above 1 when there is more than one share.", mostShares)
	if shares < 1 || shares > mostShares || threshold < 1 || threshold > shares || shares > 1 && threshold == 1 {
		return fault.Misuse(fmt.Errorf("--%s-shares=%d with --%s-threshold=%d is not possible", kind, shares, kind, threshold), remedy)
	}
	return nil
}
