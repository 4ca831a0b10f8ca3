package job

import (
	"context"
	"os"
	"path/filepath"

	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// SpoolOptions say where Vault's answer to sys/init is kept until it is stored.
type SpoolOptions struct {
	Dir, Termination string
}

// directory returns the spool directory, or "" if none can be determined.
func (o *SpoolOptions) directory(env Lookup, options *StoreOptions) string {
	if o.Dir != "" {
		return o.Dir
	}
	kind, base, err := options.Resolve(env)
	if err == nil && kind == KubernetesStore {
		base, err = stateDirectory(env)
	}
	if err != nil {
		return ""
	}
	return filepath.Join(base, "spool")
}

// podReader is a store that can also read the Pods of this run and of earlier ones.
type podReader interface {
	TerminationMessages(ctx context.Context, pod string) ([][]byte, error)
	Containers(ctx context.Context, pod string) (int, error)
}

// Locations returns where the answer is spooled.
func (o *SpoolOptions) Locations(env Lookup, records store.Store, options *StoreOptions) []spool.Place {
	var locations []spool.Place
	if dir := o.directory(env, options); dir != "" {
		locations = append(locations, spool.Dir(dir))
	}
	termination := spool.Termination{Path: o.Termination}
	if kube, ok := records.(podReader); ok {
		termination.Earlier = kube.TerminationMessages
		if pod, _ := env("POD_NAME"); pod != "" {
			termination.Containers = func(ctx context.Context) (int, error) { return kube.Containers(ctx, pod) }
		}
	}
	if _, err := os.Stat(o.Termination); err == nil || termination.Earlier != nil {
		locations = append(locations, termination)
	}
	return locations
}
