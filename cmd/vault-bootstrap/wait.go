package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/wait"
	"github.com/vault-bootstrap/vault-bootstrap/fsm"
)

func (p *program) waitCommand() *cobra.Command {
	options, sidecar := &wait.Options{}, &job.SidecarOptions{}
	cmd := &cobra.Command{
		Use:   "wait --for=STATE",
		Short: "Wait until Vault is in a state, for init containers",
		Long: "wait ends when the bootstrap has reached a state or one after it. It needs no keys, and\n" +
			"changes nothing. It reads what the Lease shows, or Vault's own health, or both:\n\n" +
			"  --via=lease   only the Lease: needs get on it, and watch to notice changes\n" +
			"                at once\n" +
			"  --via=health  only Vault, and no privileges in Kubernetes. A server knows\n" +
			"                whether it is initialized and unsealed, but not whether it\n" +
			"                is seeded or hardened, so --for=seeded and --for=hardened\n" +
			"                are refused\n" +
			"  --via=auto    the Lease for what only it shows, and Vault's health, if an\n" +
			"                address is given, for whether Vault is open now",
		Example: "  vault-bootstrap wait --for=hardened --namespace=vault --vault-addr=http://vault-active.vault:8200\n" +
			"  vault-bootstrap wait --for=unsealed --via=health --vault-addr=http://vault-active.vault:8200",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := sidecar.Check(); err != nil {
				return err
			}
			err := wait.Until(cmd.Context(), p.env, options, p.logger())
			p.endSidecar(cmd.Context(), sidecar)
			return err
		},
	}
	registerWait(cmd.Flags(), options)
	registerSidecar(cmd.Flags(), sidecar)
	return cmd
}

func registerWait(flags *pflag.FlagSet, o *wait.Options) {
	registerStore(flags, &o.Store)
	registerVault(flags, &o.Vault)
	flags.StringVar(&o.Goal, "for", string(fsm.Hardened), "state to wait for: initialized, unsealed, seeded or hardened")
	flags.StringVar(&o.Via, "via", wait.ViaAuto, "where to look: auto, lease or health")
	flags.DurationVar(&o.Timeout, "timeout", 10*time.Minute, "how long to wait")
	flags.DurationVar(&o.Interval, "interval", 20*time.Second, "longest wait between two checks if changes are not reported; the first wait is between a quarter of it and all of it")
}
