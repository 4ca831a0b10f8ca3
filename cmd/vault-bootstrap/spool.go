package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// spoolOptions say where Vault's answer to sys/init is kept until it is stored.
type spoolOptions struct {
	dir, termination string
}

func (o *spoolOptions) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.dir, "spool-dir", "", "directory that keeps Vault's answer, encrypted, until it is stored; it should survive a restart of the container (default: below the file store, or in the user's state directory)")
	flags.StringVar(&o.termination, "termination-log", "/dev/termination-log", "the container's termination message, which keeps it as well where the file exists")
}

// directory returns the spool directory, or "" if there is no place for one.
func (o *spoolOptions) directory(env lookup, options *storeOptions) string {
	if o.dir != "" {
		return o.dir
	}
	kind, base, err := options.resolve(env)
	if err == nil && kind == kubernetesStore {
		base, err = stateDirectory(env)
	}
	if err != nil {
		return ""
	}
	return filepath.Join(base, "spool")
}

// podReader is a store beside which the Pods of this run and of earlier ones are.
type podReader interface {
	TerminationMessages(ctx context.Context, pod string) ([][]byte, error)
	Containers(ctx context.Context, pod string) (int, error)
}

// places returns where the answer goes.
func (o *spoolOptions) places(env lookup, records store.Store, options *storeOptions) []spool.Place {
	var places []spool.Place
	if dir := o.directory(env, options); dir != "" {
		places = append(places, spool.Dir(dir))
	}
	termination := spool.Termination{Path: o.termination}
	if kube, ok := records.(podReader); ok {
		termination.Earlier = kube.TerminationMessages
		if pod, _ := env("POD_NAME"); pod != "" {
			termination.Containers = func(ctx context.Context) (int, error) { return kube.Containers(ctx, pod) }
		}
	}
	if _, err := os.Stat(o.termination); err == nil || termination.Earlier != nil {
		places = append(places, termination)
	}
	return places
}
