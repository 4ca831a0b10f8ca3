package job

import (
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// LossOptions say what may be done about a Vault that nobody can open, or that somebody has sealed.
type LossOptions struct {
	OnLost, Volume string
	RespectSeal    bool
}

// The values of --on-keys-lost.
const (
	StopWhenLost  = "stop"
	resetWhenLost = "reset"
)

// assign applies the options to the config.
func (o *LossOptions) assign(b *states.Config, pods *workload.Pods) error {
	if o.OnLost != StopWhenLost && o.OnLost != resetWhenLost {
		return fault.Misuse(fmt.Errorf("--on-keys-lost=%q is neither 'stop' nor 'reset'", o.OnLost), "Write one of the two.")
	}
	b.Loss = states.Loss{Reset: o.OnLost == resetWhenLost, Volume: o.Volume}
	b.RespectSeal = o.RespectSeal
	if pods != nil {
		b.Pods, b.Loss.Volumes = pods, pods
		return nil
	}
	const remedy = "Choose the records in Kubernetes with --store=kubernetes, or omit the flag."
	switch {
	case b.Loss.Reset:
		return fault.Misuse(errors.New("--on-keys-lost=reset needs the records, and Vault's pods, in Kubernetes"), remedy)
	case b.RespectSeal:
		return fault.Misuse(errors.New("--respect-seal needs the records, and Vault's pods, in Kubernetes: elsewhere a manual seal looks the same as a restart"), remedy)
	}
	return nil
}

// Pods returns the pods in the namespace of the records; nil outside Kubernetes.
func Pods(records store.Store) *workload.Pods {
	kube, ok := records.(workload.Located)
	if !ok {
		return nil
	}
	return workload.New(kube.Namespace())
}
