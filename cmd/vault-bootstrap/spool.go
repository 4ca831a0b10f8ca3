package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// spoolOptions say where Vault's answer to sys/init is kept until it is stored.
type spoolOptions struct {
	dir, termination string
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

// places returns where the answer goes.
func (o *spoolOptions) places(env lookup, records store.Store, options *storeOptions) []spool.Place {
	var places []spool.Place
	if dir := o.directory(env, options); dir != "" {
		places = append(places, spool.Dir(dir))
	}
	termination := spool.Termination{Path: o.termination}
	if kube, ok := records.(*store.Kube); ok {
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
