package job

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// WarnOfGrace warns if the kubelet gives our pod less time to end than Vault may take for its
// answer to the initialization: keys that were not stored by then are lost. Vault's own chart gives
// its pods 10 s, and a sidecar is in one of them. Where the pod is not known or may not be read,
// nothing is said: whoever runs us outside a pod has no such limit.
func (j *Job) WarnOfGrace(ctx context.Context, log *slog.Logger) {
	name, _ := j.env("POD_NAME")
	pods := Pods(j.Store)
	if name == "" || pods == nil || j.Options.Store.Keyless() {
		return
	}
	grace, err := pods.Grace(ctx, name)
	if err != nil {
		log.Debug("how long our pod may take to end is not known", "error", err.Error())
		return
	}
	if grace >= vault.InitTimeout {
		return
	}
	log.Warn(fmt.Sprintf("our pod may take %s to end, and Vault's answer to the initialization up to %s: if the pod is deleted meanwhile, the keys are lost", grace, vault.InitTimeout),
		"remedy", fmt.Sprintf("Set terminationGracePeriodSeconds: %d in the pod's template (server.terminationGracePeriodSeconds in the values of Vault's chart).", int(vault.InitTimeout.Seconds())))
}
