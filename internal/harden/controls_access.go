package harden

import (
	"slices"
	"strings"
)

// accessControls are about who may do what.
func accessControls() []Control {
	return []Control{
		{
			ID: "own-login", Name: "later runs can log in", Severity: Critical, Profile: Base, Groups: []Group{GroupOwn},
			Why:    "Without a login of our own, the next run would need a root token.",
			How:    "Logging in as later runs do.",
			Remedy: "Check what the login answers, and repair the auth method, the role and the policy.",
			Source: docs + "concepts/auth",
			Check: on(func(f Facts) Fact[bool] { return f.Login }, func(works bool, _ Limits) Finding {
				if works {
					return holds("our login works")
				}
				return fails("our login was not proven")
			}),
		},
		{
			ID: "root-token-gone", Name: "no root token is kept", Severity: Critical, Profile: Base, Groups: []Group{GroupOwn},
			Why:    "A root token opens everything and leaves no name in the audit log.",
			How:    "Reading our keys record.",
			Remedy: "Run again: the root token is revoked when the login has been proven.",
			Source: docs + "concepts/tokens#root-tokens",
			Check: func(facts Facts, limits Limits) Finding {
				return on(func(f Facts) Fact[bool] { return f.RootStored }, func(stored bool, _ Limits) Finding {
					switch {
					case stored:
						return fails("a root token is in the keys record")
					case facts.Keyless:
						return holds("none is stored, and none ever was: --keys=none. Those of others are seen by 'verify --deep' only")
					default:
						return holds("none is stored")
					}
				})(facts, limits)
			},
		},
		{
			ID: "default-policy", Name: "the policy 'default' grants what Vault ships", Severity: Medium, Profile: Production, Groups: []Group{GroupPolicies},
			Why:    "Nearly every token has it: what it grants, everybody may do.",
			How:    "Reading the policy and looking for paths that Vault's own does not have, and for more capabilities than it gives.",
			Remedy: "Move what it grants into a separate policy, and assign that to those who need it.",
			Source: docs + "concepts/policies#default-policy",
			Check: on(policiesOf, func(policies []Policy, _ Limits) Finding {
				i := slices.IndexFunc(policies, func(p Policy) bool { return p.Name == "default" })
				if i < 0 {
					return fails("there is no policy 'default'")
				}
				if policies[i].Broken != "" {
					return Finding{Status: Unknown, Seen: policies[i].Broken}
				}
				return blame(beyondDefault(policies[i]), "paths beyond those that are shipped: %d", "nothing beyond what is shipped")
			}),
		},
		{
			ID: "wildcard-policies", Name: "no policy grants everything", Severity: High, Profile: Production, Groups: []Group{GroupPolicies},
			Why:    "A policy with the path '*' is root by another name, and one for all of 'sys/' or 'auth/' nearly so.",
			How:    "Reading every policy and looking for grants on '*', '+/*', 'sys/*' and 'auth/*'.",
			Remedy: "Name the paths that its holders need.",
			Source: docs + "concepts/policies",
			Check: on(policiesOf, func(policies []Policy, _ Limits) Finding {
				return eachPolicy(policies, "policies that do: %d", "none does", func(rule Rule) bool {
					return slices.Contains([]string{"*", "+/*", "+*", "sys/*", "auth/*"}, rule.Path) && grantsMore(rule, nil)
				})
			}),
		},
		{
			ID: "sudo-policies", Name: "no policy but ours grants sudo", Severity: Medium, Profile: Strict, Groups: []Group{GroupPolicies},
			Why:    "sudo opens the endpoints that Vault protects specially: audit devices, auth methods, leases, raw storage.",
			How:    "Reading every policy but our own and looking for the capability 'sudo'.",
			Remedy: "Leave changes of Vault's configuration to the seed, or accept the policies of your administrators by name.",
			Source: docs + "concepts/policies#sudo",
			Check: func(facts Facts, limits Limits) Finding {
				return on(policiesOf, func(policies []Policy, _ Limits) Finding {
					others := slices.DeleteFunc(slices.Clone(policies), func(p Policy) bool { return p.Name == facts.OwnPolicy || p.Name == facts.OwnPolicy+"-seed" })
					return eachPolicy(others, "policies that do: %d", "none does", func(rule Rule) bool { return slices.Contains(rule.Capabilities, "sudo") })
				})(facts, limits)
			},
		},
		{
			ID: "role-bindings", Name: "no auth role lets everybody in", Severity: High, Profile: Production, Groups: []Group{GroupRoles},
			Why:    "A role bound to '*' gives its policies to every pod, person or machine that the auth method knows.",
			How:    "Reading the roles of kubernetes, jwt, oidc, approle, aws and cert methods and looking for bindings that bind nothing.",
			Remedy: "Bind the role to names: service accounts and namespaces, a subject or claims, an account's ARNs, certificate names, a secret ID.",
			Source: docs + "auth",
			Check: on(func(f Facts) Fact[[]Role] { return f.Roles }, func(roles []Role, _ Limits) Finding {
				var open []string
				for _, role := range roles {
					if role.Open != "" {
						open = append(open, role.Path)
					}
				}
				return blame(open, "roles that do: %d", "every role is bound")
			}),
		},
		{
			ID: "user-lockout", Name: "guessing passwords locks the user out", Severity: High, Profile: Production, Groups: []Group{GroupMounts},
			Why:    "Without the lock, passwords and secret IDs can be guessed without end.",
			How:    "Reading the settings of userpass, ldap and approle mounts.",
			Remedy: "Tune the mount: user_lockout_config with lockout_disable=false.",
			Source: docs + "concepts/user-lockout",
			Check: on(authOf, func(mounts []Mount, _ Limits) Finding {
				return blame(paths(mounts, unlocked), "mounts where it is off: %d", "it is on wherever there is one")
			}),
			Fix: func(facts Facts, _ Limits) []Call {
				return tune(facts.Auth, "auth", unlocked, map[string]any{"user_lockout_config": map[string]any{"lockout_disable": false}})
			},
			FixGrants: []Grant{{"sys/auth/*", []string{"update", "sudo"}}},
		},
	}
}

func policiesOf(f Facts) Fact[[]Policy] { return f.Policies }
func authOf(f Facts) Fact[[]Mount]      { return f.Auth }

// unlocked reports whether a mount that supports user lockout has it disabled.
func unlocked(m Mount) bool {
	return m.NoLockout && slices.Contains([]string{"userpass", "ldap", "approle"}, m.Type)
}

// eachPolicy blames the policies that have a bad rule. A policy that cannot be parsed may grant
// anything.
func eachPolicy(policies []Policy, found, none string, isBad func(Rule) bool) Finding {
	var bad, broken []string
	for _, policy := range policies {
		switch {
		case policy.Broken != "":
			broken = append(broken, policy.Name)
		case slices.ContainsFunc(policy.Rules, isBad):
			bad = append(bad, policy.Name)
		}
	}
	if len(bad) == 0 && len(broken) > 0 {
		return Finding{Status: Unknown, Seen: "these policies cannot be parsed: " + listed(broken)}
	}
	return blame(bad, found, none)
}

// grantsMore reports whether a rule grants a capability that is not among usual.
func grantsMore(rule Rule, usual []string) bool {
	return !slices.Contains(rule.Capabilities, "deny") &&
		slices.ContainsFunc(rule.Capabilities, func(c string) bool { return !slices.Contains(usual, c) })
}

// shipped is what Vault 1.21 grants in its policy 'default', by path.
func shipped() map[string][]string {
	update, read, both := []string{"update"}, []string{"read"}, []string{"read", "update"}
	return map[string][]string{
		"auth/token/lookup-self": read, "auth/token/renew-self": update, "auth/token/revoke-self": update,
		"sys/capabilities-self": update, "sys/internal/ui/resultant-acl": read,
		"sys/renew": update, "sys/leases/renew": update, "sys/leases/lookup": update,
		"cubbyhole/*":       {"create", "read", "update", "delete", "list"},
		"sys/wrapping/wrap": update, "sys/wrapping/lookup": update, "sys/wrapping/unwrap": update,
		"sys/tools/hash": update, "sys/tools/hash/*": update, "sys/control-group/request": update,
		"identity/oidc/provider/+/authorize": both, "identity/entity/id/{{identity.entity.id}}": read,
		"identity/entity/name/{{identity.entity.name}}": read,
	}
}

// beyondDefault returns the paths of a policy that grant more than Vault's default.
func beyondDefault(policy Policy) []string {
	known := shipped()
	var found []string
	for _, rule := range policy.Rules {
		if grantsMore(rule, known[strings.TrimPrefix(rule.Path, "/")]) {
			found = append(found, rule.Path)
		}
	}
	return found
}
