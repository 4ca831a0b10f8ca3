package harden

// auditControls are about the record of who did what.
func auditControls() []Control {
	devices := func(f Facts) Fact[[]AuditDevice] { return f.Audit }
	return []Control{
		{
			ID: "audit-device", Name: "an audit device is enabled", Severity: High, Profile: Baseline, Groups: []Group{GroupAudit},
			Why:       "Without one, nobody can find out who did what.",
			How:       "Listing the audit devices.",
			Remedy:    "Declare one under 'audit' in the seed.",
			OnOpenBao: "Add an 'audit' stanza to the server's configuration and restart it or send it SIGHUP. OpenBao takes no devices by the API, unless unsafe_allow_api_audit_creation is set.",
			Source:    docs + "audit",
			Check: on(devices, func(devices []AuditDevice, _ Limits) Finding {
				if len(devices) == 0 {
					return fails("none is")
				}
				return holds("%d enabled", len(devices))
			}),
		},
		{
			ID: "second-audit-device", Name: "a second audit device is enabled", Severity: Medium, Profile: Strict, Groups: []Group{GroupAudit},
			Why:       "Vault stops answering, and stays sealed after a restart, when its only audit device cannot be written.",
			How:       "Listing the audit devices.",
			Remedy:    "Declare two under 'audit' in the seed, on different targets.",
			OnOpenBao: "Have two 'audit' stanzas in the server's configuration, with different targets.",
			Source:    docs + "audit/best-practices",
			Check: on(devices, func(devices []AuditDevice, _ Limits) Finding {
				if len(devices) < 2 {
					return fails("%d enabled", len(devices))
				}
				return holds("%d enabled", len(devices))
			}),
		},
		{
			ID: "audit-raw", Name: "audit logs hide secrets", Severity: High, Profile: Production, Groups: []Group{GroupAudit},
			Why:    "A device with log_raw writes tokens and secrets in plain text: whoever reads the log can use them.",
			How:    "Reading the options of the audit devices.",
			Remedy: "Omit log_raw. Where readable logs are wanted, protect them as the secrets that they are, and accept the device by name in an exception.",
			Source: docs + "audit#sensitive-information",
			Check: on(devices, func(devices []AuditDevice, _ Limits) Finding {
				var raw []string
				for _, device := range devices {
					if device.Raw {
						raw = append(raw, device.Path)
					}
				}
				return blame(raw, "devices that log raw: %d", "no device logs raw")
			}),
		},
	}
}
