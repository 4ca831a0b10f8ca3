package main

import (
	"errors"
	"fmt"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
	"github.com/vault-bootstrap/vault-bootstrap/states"
)

// lossOptions say what may be done about a Vault that nobody can open, or that
// somebody has closed.
type lossOptions struct {
	onLost, volume string
	respectSeal    bool
}

// The values of --on-keys-lost.
const (
	stopWhenLost  = "stop"
	resetWhenLost = "reset"
)

// assign gives the bootstrap what the options say.
func (o *lossOptions) assign(b *states.Bootstrap, pods *workload.Pods) error {
	if o.onLost != stopWhenLost && o.onLost != resetWhenLost {
		return fault.Misuse(fmt.Errorf("--on-keys-lost=%q is neither 'stop' nor 'reset'", o.onLost), "Write one of the two.")
	}
	b.Loss = states.Loss{Reset: o.onLost == resetWhenLost, Volume: o.volume}
	b.RespectSeal = o.respectSeal
	if pods != nil {
		b.Pods, b.Volumes = pods, pods
		return nil
	}
	const remedy = "Choose the records in Kubernetes with --store=kubernetes, or leave it away."
	switch {
	case b.Loss.Reset:
		return fault.Misuse(errors.New("--on-keys-lost=reset needs the records, and Vault's pods, in Kubernetes"), remedy)
	case b.RespectSeal:
		return fault.Misuse(errors.New("--respect-seal needs the records, and Vault's pods, in Kubernetes: elsewhere nothing tells a seal from a restart"), remedy)
	}
	return nil
}

// podsBeside returns the pods in the namespace of the records; nil outside Kubernetes.
func podsBeside(records store.Store) *workload.Pods {
	kube, ok := records.(*store.Kube)
	if !ok {
		return nil
	}
	return workload.New(kube.Namespace())
}
