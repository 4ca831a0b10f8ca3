package testbed

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writeConfig writes the server's configuration, as its product wants it.
func (n *VaultNode) writeConfig(o VaultOptions, others []*VaultNode) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("ui            = false")
	bao := n.cluster.Server.Product == OpenBao
	if !bao { // which has no mlock
		line("disable_mlock = true")
	}
	if bao && !o.Guarded {
		line("unsafe_allow_api_audit_creation = true")
	}
	line("api_addr      = %q", n.Addr)
	line("cluster_addr  = %q", n.ClusterAddr)
	line("telemetry {\n  disable_hostname    = true\n  usage_gauge_period  = \"none\"\n}")
	line("listener \"tcp\" {")
	line("  address         = %q", loopback(n.api.number))
	line("  cluster_address = %q", loopback(n.peer.number))
	if n.cert == nil {
		line("  tls_disable     = true")
	} else {
		line("  tls_cert_file   = %q\n  tls_key_file    = %q", n.cert.CertFile, n.cert.KeyFile)
	}
	if bao && !o.Guarded {
		line("  disable_unauthed_generate_root_endpoints = false\n  disable_unauthed_rekey_endpoints = false")
	}
	line("%s\n}", o.ListenerConfig)
	stanza, storage := "storage", o.Storage
	if storage == "shared" {
		// Vault warns that nothing but its own lock keeps nodes apart here: that is raft's.
		line("storage \"file\" {\n  path = %q\n}", filepath.Join(n.cluster.Dir, "shared"))
		stanza, storage, others = "ha_storage", "raft", nil
	}
	line("%s %q {", stanza, storage)
	if storage != "inmem" {
		line("  path    = %q", filepath.Join(n.Dir, "data"))
	}
	if storage == "raft" {
		line("  node_id = %q", n.Name)
		// Vault's default timings are for slow networks: 5 to 9 s for sys/init, 1 to 2 s with these.
		line("  performance_multiplier = \"1\"")
		if o.NoRetryJoin {
			others = nil
		}
		for _, peer := range others {
			line("  retry_join {\n    leader_api_addr = %q", peer.Addr)
			if n.cluster.CAFile != "" {
				line("    leader_ca_cert_file = %q", n.cluster.CAFile)
			}
			line("  }")
		}
	}
	line("}\n%s\n%s", o.Seal, o.ExtraConfig)
	return os.WriteFile(n.ConfigFile, []byte(b.String()), 0o600)
}

// AuditDevice is an audit device as a server's configuration declares it.
type AuditDevice struct {
	Type, Path, Description string
	Options                 map[string]string
}

// DeclareAudit puts audit devices into the configuration of a server that makes none by its API
// (see Facts.AuditByAPI), as its users have to, and restarts the nodes. Elsewhere it does
// nothing, and whoever wants a device makes it. Nothing may be initialized yet.
func (c *VaultCluster) DeclareAudit(ctx context.Context, devices ...AuditDevice) error {
	if c.Server.Product != OpenBao {
		return nil
	}
	var b strings.Builder
	for _, device := range devices {
		fmt.Fprintf(&b, "audit %q %q {\n  description = %q\n  options {\n", device.Type, device.Path, device.Description)
		for _, key := range slices.Sorted(maps.Keys(device.Options)) {
			fmt.Fprintf(&b, "    %s = %q\n", key, device.Options[key])
		}
		b.WriteString("  }\n}\n")
	}
	return c.each(func(n *VaultNode) error {
		config, err := os.ReadFile(n.ConfigFile)
		if err == nil {
			err = os.WriteFile(n.ConfigFile, append(config, b.String()...), 0o600)
		}
		if err != nil {
			return fmt.Errorf("declaring an audit device of %s: %w", n.Name, err)
		}
		return n.Restart(ctx)
	})
}
