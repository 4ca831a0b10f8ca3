package gather

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
)

func (g *gatherer) audit(ctx context.Context, facts *harden.Facts) {
	data, _, err := g.read(ctx, "sys/audit")
	if err != nil {
		facts.Audit = unknown[[]harden.AuditDevice]("sys/audit", "read", err)
		return
	}
	var devices []harden.AuditDevice
	for _, path := range slices.Sorted(maps.Keys(data)) {
		device := auditDevice(trim(path), mapping(data[path]))
		device.Declared = g.asDeclared("sys/audit/"+device.Path, mapping(data[path]), harden.JudgedFields("audit-raw").Fields)
		devices = append(devices, device)
	}
	facts.Audit = harden.Known(devices)
}

func (g *gatherer) mounts(ctx context.Context, facts *harden.Facts) {
	facts.Auth, facts.Secrets = g.table(ctx, "sys/auth"), g.table(ctx, "sys/mounts")
}

// table reads a listing of mounts.
func (g *gatherer) table(ctx context.Context, listing string) harden.Fact[[]harden.Mount] {
	data, _, err := g.read(ctx, listing)
	if err != nil {
		return unknown[[]harden.Mount](listing, "read", err)
	}
	var mounts []harden.Mount
	fields := mountFields()
	for _, path := range slices.Sorted(maps.Keys(data)) {
		found := mount(trim(path), mapping(data[path]))
		found.NoLockout = truth(mapping(mapping(mapping(data[path])["config"])["user_lockout_config"])["user_lockout_disable"])
		found.Declared = g.asDeclared(listing+"/"+found.Path, mapping(data[path]), fields)
		mounts = append(mounts, found)
	}
	return harden.Known(mounts)
}

func (g *gatherer) server(ctx context.Context, facts *harden.Facts) {
	const path = "sys/config/state/sanitized"
	data, found, err := g.read(ctx, path)
	if err != nil {
		facts.Server = unknown[harden.Server](path, "read", err)
		return
	}
	if !found {
		facts.Server = absent[harden.Server](path)
		return
	}
	server := harden.Server{
		RawStorage: truth(data["raw_storage_endpoint"]), Introspection: truth(data["introspection_endpoint"]),
		UI: truth(data["enable_ui"]), DisableMlock: truth(data["disable_mlock"]),
		DefaultTTL: duration(data["default_lease_ttl"]), MaxTTL: duration(data["max_lease_ttl"]),
	}
	for _, each := range list(data["listeners"]) {
		listener := mapping(each)
		config := mapping(listener["config"])
		server.Listeners = append(server.Listeners, harden.Listener{
			Type: text(listener["type"]), Address: text(config["address"]), MinTLS: text(config["tls_min_version"]), NoTLS: truth(config["tls_disable"]),
		})
	}
	facts.Server = harden.Known(server)
}

func (g *gatherer) cors(ctx context.Context, facts *harden.Facts) {
	data, _, err := g.read(ctx, "sys/config/cors")
	if err != nil {
		facts.CORS = unknown[harden.CORS]("sys/config/cors", "read", err)
		return
	}
	facts.CORS = harden.Known(harden.CORS{
		Enabled: truth(data["enabled"]), Origins: words(data["allowed_origins"]), Declared: g.asDeclared("sys/config/cors", data, []string{"allowed_origins"}),
	})
}

func (g *gatherer) headers(ctx context.Context, facts *harden.Facts) {
	facts.Headers = listEach(ctx, g, "sys/config/ui/headers", func(name string, data map[string]any) harden.Header {
		value, values := text(data["value"]), list(data["values"])
		if len(values) == 0 {
			values = []any{value}
		} else if value == "" {
			value = text(values[0])
		}
		declared := g.asDeclared("sys/config/ui/headers/"+strings.ToLower(name), map[string]any{"values": values}, []string{"values"})
		return harden.Header{Name: name, Value: value, Declared: declared}
	})
}

func (g *gatherer) policies(ctx context.Context, facts *harden.Facts) {
	const path = "sys/policies/acl"
	names, err := g.list(ctx, path)
	if err != nil {
		facts.Policies = unknown[[]harden.Policy](path, "list", err)
		return
	}
	// The policy root has no text, and default-ceiling is Vault's own, of 2.0 and later: neither can be
	// changed, nor be to blame.
	names = slices.DeleteFunc(names, func(name string) bool { return name == "root" || name == "default-ceiling" })
	found, err := each(ctx, g, path, names, func(name string, data map[string]any) harden.Policy {
		policy := harden.ParsePolicy(name, text(data["policy"]))
		policy.Declared = g.asDeclared(path+"/"+name, data, []string{"policy"})
		return policy
	})
	if err != nil {
		facts.Policies = unknown[[]harden.Policy](path+"/*", "read", err)
		return
	}
	facts.Policies = harden.Known(found)
}

func (g *gatherer) passwords(ctx context.Context, facts *harden.Facts) {
	facts.Passwords = listEach(ctx, g, "sys/policies/password", func(name string, data map[string]any) harden.PasswordPolicy {
		policy := passwordPolicy(name, data)
		policy.Declared = g.asDeclared("sys/policies/password/"+name, data, []string{"policy"})
		return policy
	})
}

// passwordPolicy decodes a password policy.
func passwordPolicy(name string, data map[string]any) harden.PasswordPolicy {
	var said struct {
		Length int `hcl:"length"`
	}
	// One that cannot be parsed has the length 0, so that the control fails.
	_ = hcl.Decode(&said, text(data["policy"]))
	return harden.PasswordPolicy{Name: name, Length: said.Length}
}

// auditDevice decodes an audit device.
func auditDevice(path string, data map[string]any) harden.AuditDevice {
	return harden.AuditDevice{Path: path, Type: text(data["type"]), Raw: truth(mapping(data["options"])["log_raw"])}
}

// mount decodes a mount, all but its user lockout.
func mount(path string, data map[string]any) harden.Mount {
	config := mapping(data["config"])
	return harden.Mount{
		Path: path, Type: text(data["type"]), DefaultTTL: duration(config["default_lease_ttl"]), MaxTTL: duration(config["max_lease_ttl"]),
		Listed: config["listing_visibility"] == "unauth",
	}
}

func (g *gatherer) quotas(ctx context.Context, facts *harden.Facts) {
	facts.Quotas = listEach(ctx, g, "sys/quotas/rate-limit", func(name string, data map[string]any) harden.Quota {
		return harden.Quota{Name: name, Path: text(data["path"])}
	})
}
