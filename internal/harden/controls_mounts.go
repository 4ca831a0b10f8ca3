package harden

// mountControls are about auth methods, secrets engines and what they hand out.
func mountControls() []Control {
	return []Control{
		{
			ID: "server-lease-ttl", Name: "The server limits how long leases live", Severity: Medium, Profile: Production, Groups: []Group{GroupServer}, ActiveOnly: true,
			Why:    "The longer a secret or token lives, the longer it is useful to whoever stole it.",
			How:    "Reading max_lease_ttl and default_lease_ttl of the server's configuration; where they are not set, Vault takes 32 days.",
			Remedy: "Set max_lease_ttl and default_lease_ttl in the server's configuration to no more than the limit 'lease-ttl'.",
			Source: docs + "configuration#max_lease_ttl",
			Check: on(serverOf, func(server Server, limits Limits) Finding {
				longest, usual := orDefault(server.MaxTTL), orDefault(server.DefaultTTL)
				if longest > limits.LeaseTTL || usual > limits.LeaseTTL {
					return fails("The server allows longer leases than the limit").valued("at most %s, by default %s, limit %s", longest, usual, limits.LeaseTTL)
				}
				return holds("The server allows no longer leases than the limit").valued("at most %s, by default %s", longest, min(usual, longest))
			}),
		},
		{
			ID: "mount-lease-ttl", Name: "Mounts keep leases within the limit", Severity: Medium, Profile: Production, Groups: []Group{GroupMounts},
			Why:    "A mount's own TTL overrides the server's, and its configuration does not show it.",
			How:    "Reading the settings of all mounts and comparing them with the limit 'lease-ttl'.",
			Remedy: "Tune the mount's max_lease_ttl and default_lease_ttl, or raise the limit in the seed.",
			Source: docs + "configuration#max_lease_ttl",
			Check: both(authOf, secretsOf, func(auth, secrets []Mount, limits Limits) Finding {
				return blame(allPaths(auth, secrets, limits.prolonged), "mount", "A mount allows longer leases than the limit", "No mount allows longer leases than the limit").valuedIf(true, "limit %s", limits.LeaseTTL)
			}),
			Fix: func(facts Facts, limits Limits) []Call {
				limit := limits.LeaseTTL.String()
				settings := func(m Mount) map[string]any {
					changes := map[string]any{}
					if m.MaxTTL > limits.LeaseTTL {
						changes["max_lease_ttl"] = limit
					}
					if m.DefaultTTL > limits.LeaseTTL {
						changes["default_lease_ttl"] = limit
					}
					return changes
				}
				return append(tuneEach(facts.Auth, "auth", "auth/", limits.prolonged, settings), tuneEach(facts.Secrets, "mounts", "", limits.prolonged, settings)...)
			},
			FixGrants: []Grant{{"sys/auth/*", []string{"update", "sudo"}}, {"sys/mounts/*", []string{"update"}}},
		},
		{
			ID: "listed-mounts", Name: "Mounts are hidden from those without a token", Severity: Low, Profile: Strict, Groups: []Group{GroupMounts},
			Why:    "Paths and types of mounts help an attacker.",
			How:    "Reading listing_visibility of all mounts.",
			Remedy: "Tune the mount: listing_visibility=hidden. The login page then asks for the path.",
			Source: apiDocs + "system/internal-ui-mounts",
			Check: both(authOf, secretsOf, func(auth, secrets []Mount, _ Limits) Finding {
				return blame(allPaths(auth, secrets, Mount.isListed), "mount", "A mount is listed without a token", "No mount is listed without a token")
			}),
			Fix: func(facts Facts, _ Limits) []Call {
				hide := map[string]any{"listing_visibility": "hidden"}
				return append(tune(facts.Auth, "auth", "auth/", Mount.isListed, hide), tune(facts.Secrets, "mounts", "", Mount.isListed, hide)...)
			},
			FixGrants: []Grant{{"sys/auth/*", []string{"update", "sudo"}}, {"sys/mounts/*", []string{"update"}}},
		},
		{
			ID: "password-policies", Name: "Generated passwords are long", Severity: Low, Profile: Strict, Groups: []Group{GroupPasswords},
			Why:    "A password policy decides how hard the passwords of databases and directories are to guess.",
			How:    "Reading every password policy; without one, Vault generates 20 characters.",
			Remedy: "Raise 'length' in the policy, or lower the limit 'password-length' in the seed.",
			Source: docs + "concepts/password-policies",
			Check: on(func(f Facts) Fact[[]PasswordPolicy] { return f.Passwords }, func(policies []PasswordPolicy, limits Limits) Finding {
				var short []string
				for _, policy := range policies {
					if policy.Length < limits.PasswordLength {
						short = append(short, policy.Name)
					}
				}
				return blame(short, "policy", "A password policy allows short passwords", "No password policy allows short passwords").valuedIf(true, "at least %d characters required", limits.PasswordLength)
			}),
		},
		{
			ID: "rate-limit", Name: "Requests are limited", Severity: Medium, Profile: Strict, Groups: []Group{GroupQuotas},
			Why:    "One client that runs wild blocks Vault for all others.",
			How:    "Listing the rate-limit quotas and looking for one that is for all paths.",
			Remedy: "Create a rate-limit quota without a path, at several times the rate of your busiest hour.",
			Source: docs + "concepts/resource-quotas",
			Check: on(func(f Facts) Fact[[]Quota] { return f.Quotas }, func(quotas []Quota, _ Limits) Finding {
				for _, quota := range quotas {
					if quota.Path == "" {
						return holds("A rate-limit quota is for all paths").valued("%s", quota.Name)
					}
				}
				return fails("No rate-limit quota is for all paths").valued("%s", count(len(quotas), "quota"))
			}),
		},
	}
}

func serverOf(f Facts) Fact[Server]   { return f.Server }
func secretsOf(f Facts) Fact[[]Mount] { return f.Secrets }

func (m Mount) isListed() bool { return m.Listed }

func (l Limits) prolonged(m Mount) bool { return m.MaxTTL > l.LeaseTTL || m.DefaultTTL > l.LeaseTTL }

func paths(mounts []Mount, bad func(Mount) bool) []string {
	var found []string
	for _, mount := range mounts {
		if bad(mount) {
			found = append(found, mount.Path)
		}
	}
	return found
}

// allPaths returns the paths of bad mounts, with the prefix auth/ for auth methods.
func allPaths(auth, secrets []Mount, bad func(Mount) bool) []string {
	var found []string
	for _, path := range paths(auth, bad) {
		found = append(found, "auth/"+path)
	}
	return append(found, paths(secrets, bad)...)
}

// tune returns calls that give bad mounts the same settings. kind is the part of sys that has them,
// and prefix what the control puts before their paths.
func tune(mounts Fact[[]Mount], kind, prefix string, bad func(Mount) bool, settings map[string]any) []Call {
	return tuneEach(mounts, kind, prefix, bad, func(Mount) map[string]any { return settings })
}

func tuneEach(mounts Fact[[]Mount], kind, prefix string, bad func(Mount) bool, settings func(Mount) map[string]any) []Call {
	known, _ := mounts.Get()
	var calls []Call
	for _, mount := range known {
		if bad(mount) {
			calls = append(calls, Call{Path: "sys/" + kind + "/" + mount.Path + "/tune", Data: settings(mount), Object: prefix + mount.Path})
		}
	}
	return calls
}
