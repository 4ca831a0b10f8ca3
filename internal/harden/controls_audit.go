package harden

// auditControls are about the record of who did what.
func auditControls() []Control {
	devices := func(f Facts) Fact[[]AuditDevice] { return f.Audit }
	return []Control{
		{
			ID: "audit-device", Name: "Audit devices are enabled", Severity: High, Profile: Baseline, Groups: []Group{GroupAudit},
			Why:       "Without one, nobody can find out who did what.",
			How:       "Listing the audit devices.",
			Remedy:    "Declare one under 'audit' in the seed.",
			OnOpenBao: "Add an 'audit' stanza to the server's configuration and restart it or send it SIGHUP. OpenBao takes no devices by the API, unless unsafe_allow_api_audit_creation is set.",
			Source:    docs + "audit",
			Check: on(devices, func(devices []AuditDevice, _ Limits) Finding {
				if len(devices) == 0 {
					return fails("No audit device is enabled").valued("0 of 1 required")
				}
				return holds("An audit device is enabled").valued("%d enabled", len(devices))
			}),
		},
		{
			ID: "second-audit-device", Name: "Two audit devices are enabled", Severity: Medium, Profile: Strict, Groups: []Group{GroupAudit},
			Why:       "Vault stops answering, and stays sealed after a restart, when its only audit device cannot be written.",
			How:       "Listing the audit devices.",
			Remedy:    "Declare two under 'audit' in the seed, on different targets.",
			OnOpenBao: "Have two 'audit' stanzas in the server's configuration, with different targets.",
			Source:    docs + "audit/best-practices",
			Check: on(devices, func(devices []AuditDevice, _ Limits) Finding {
				switch n := len(devices); n {
				case 0:
					return fails("No audit device is enabled").valued("0 of 2 required")
				case 1:
					return fails("There is no second audit device").valued("1 of 2 required")
				default:
					return holds("A second audit device is enabled").valued("%d enabled", n)
				}
			}),
		},
		{
			ID: "audit-raw", Name: "Audit logs hide secrets", Severity: High, Profile: Production, Groups: []Group{GroupAudit},
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
				return blame(raw, "device", "An audit device logs secrets in plain text", "No audit device logs secrets in plain text")
			}),
		},
	}
}
