package harden

import "time"

// keyControls are about the keys that protect the storage.
func keyControls() []Control {
	const day = 24 * time.Hour
	key := func(f Facts) Fact[Key] { return f.Key }
	idle := func(what string) func(bool, Limits) Finding {
		return func(started bool, _ Limits) Finding {
			if started {
				return fails("A " + what + " is in progress")
			}
			return holds("No " + what + " is in progress")
		}
	}
	return []Control{
		{
			ID: "generate-root-idle", Name: "The generation of root tokens is idle", Severity: High, Profile: Production, Groups: []Group{GroupAttempts},
			Why:    "An open attempt can be completed by whoever provides the last key shares.",
			How:    "Asking for the state of generate-root; where the server has closed that to those without a token, of what takes its place.",
			Remedy: "Ask who started it, and cancel it if nobody needs it: vault operator generate-root -cancel. vault-bootstrap never cancels an attempt of others.",
			Source: apiDocs + "system/generate-root",
			Check:  on(func(f Facts) Fact[bool] { return f.GenerateRoot }, idle("generation of a root token")),
		},
		{
			ID: "rekey-idle", Name: "The rekeying is idle", Severity: High, Profile: Production, Groups: []Group{GroupAttempts},
			Why:       "An open rekey can be completed by others, and the stored key shares are then worthless.",
			How:       "Asking for the state of rekey; where the server has closed that to those without a token, of what takes its place.",
			Remedy:    "Ask who started it, and cancel it if nobody needs it: vault operator rekey -cancel. vault-bootstrap never cancels a rekey of others.",
			OnOpenBao: "Ask who started it, and cancel it if nobody needs it: bao operator rotate-keys -cancel, with -target=recovery for recovery keys. vault-bootstrap never cancels a rekey of others.",
			Source:    apiDocs + "system/rekey",
			Check:     on(func(f Facts) Fact[bool] { return f.Rekey }, idle("rekey")),
		},
		{
			ID: "key-age", Name: "The storage key is younger than the limit", Severity: Medium, Profile: Production, Groups: []Group{GroupKey},
			Why:    "The more is encrypted with one key, the more is lost with it.",
			How:    "Reading when the key was installed and comparing its age with the limit 'key-age'.",
			Remedy: "Rotate it: vault operator rotate. It interrupts nothing.",
			Source: docs + "internals/rotation",
			Check: func(facts Facts, limits Limits) Finding {
				return on(key, func(key Key, limits Limits) Finding {
					age := facts.Now.Sub(key.Installed)
					if age > limits.KeyAge {
						return fails("The storage key is too old").valued("%s old, limit %s", age.Round(time.Second), limits.KeyAge)
					}
					return holds("The storage key is not too old").valued("%s old", age.Round(time.Second))
				})(facts, limits)
			},
			Fix:       func(Facts, Limits) []Call { return []Call{{Path: "sys/rotate"}} },
			FixGrants: []Grant{{"sys/rotate", []string{"update", "sudo"}}},
		},
		{
			ID: "key-rotation", Name: "The storage key rotates automatically", Severity: Low, Profile: Strict, Groups: []Group{GroupKey},
			Why:    "Vault rotates it after some 3.9 billion operations unless configured otherwise: on most servers, never.",
			How:    "Reading the settings of the rotation and comparing its interval with the limit 'key-age'.",
			Remedy: "Set an interval: vault write sys/rotate/config enabled=true interval=8760h.",
			Source: apiDocs + "system/rotate-config",
			Check: on(key, func(key Key, limits Limits) Finding {
				switch {
				case !key.Rotates:
					return fails("The automatic rotation is off")
				case key.Interval == 0:
					return fails("The storage key rotates only after a number of operations")
				case key.Interval > max(limits.KeyAge, day):
					return fails("The storage key rotates too rarely").valued("every %s, limit %s", key.Interval, limits.KeyAge)
				default:
					return holds("The automatic rotation is on").valued("every %s", key.Interval)
				}
			}),
			Fix: func(_ Facts, limits Limits) []Call {
				// Vault takes no interval below a day.
				return []Call{{Path: "sys/rotate/config", Data: map[string]any{"enabled": true, "interval": max(limits.KeyAge, day).String()}}}
			},
			FixGrants: []Grant{{"sys/rotate/config", []string{"update"}}},
		},
		{
			ID: "seal-type", Name: "Vault unseals automatically", Severity: Medium, Profile: Strict, Groups: []Group{GroupSeal},
			Why:    "With a Shamir seal the key shares must be kept where a program or an operator can reach them at each restart.",
			How:    "Asking for the type of the seal.",
			Remedy: "Move to auto-unseal with a KMS, an HSM or another Vault.",
			Source: docs + "concepts/seal#auto-unseal",
			Check: on(sealOf, func(seal Seal, _ Limits) Finding {
				if seal.Type == "shamir" {
					return fails("Vault unseals with key shares").valued("%s", seal.Type)
				}
				return holds("The seal is automatic").valued("%s", seal.Type)
			}),
		},
	}
}

// clusterControls are about integrated storage.
func clusterControls() []Control {
	raft := func(check func(Raft, Limits) Finding) func(Facts, Limits) Finding {
		return func(facts Facts, limits Limits) Finding {
			if seal, known := facts.Seal.Get(); known && seal.Storage != "raft" {
				return inapplicable("The storage is %s", seal.Storage)
			}
			return on(func(f Facts) Fact[Raft] { return f.Raft }, check)(facts, limits)
		}
	}
	groups := []Group{GroupRaft, GroupSeal}
	return []Control{
		{
			ID: "raft-autopilot", Name: "The cluster is healthy", Severity: High, Profile: Production, Groups: groups,
			Why:    "An unhealthy cluster is one failure away from losing its quorum, or has lost it.",
			How:    "Reading autopilot's state.",
			Remedy: "Check which server is unhealthy: vault operator raft autopilot state.",
			Source: docs + "concepts/integrated-storage/autopilot",
			Check: raft(func(raft Raft, _ Limits) Finding {
				if !raft.Healthy {
					return fails("Autopilot finds the cluster unhealthy").valued("%s", count(raft.Voters, "voter"))
				}
				return holds("Autopilot finds the cluster healthy").valued("%s", count(raft.Voters, "voter"))
			}),
		},
		{
			ID: "raft-quorum", Name: "The cluster survives the loss of a server", Severity: High, Profile: Production, Groups: groups,
			Why:    "Without spare voters, the first server that fails takes Vault with it.",
			How:    "Reading the voters and the failure tolerance from autopilot's state; the limit 'raft-voters' says how many there must be.",
			Remedy: "Run three or five servers, in different zones.",
			Source: docs + "internals/integrated-storage",
			Check: raft(func(raft Raft, limits Limits) Finding {
				if raft.Voters < limits.Voters || raft.Tolerance < (limits.Voters-1)/2 {
					return fails("The cluster has too few voters").valued("%d of %d required, %d may fail", raft.Voters, limits.Voters, raft.Tolerance)
				}
				return holds("The cluster has enough voters").valued("%s, %d may fail", count(raft.Voters, "voter"), raft.Tolerance)
			}),
		},
		{
			ID: "raft-dead-peers", Name: "Every peer is alive", Severity: Medium, Profile: Production, Groups: groups,
			Why:    "A server that never comes back still counts towards the quorum.",
			How:    "Reading the servers' states from autopilot.",
			Remedy: "Bring it back, or remove it: vault operator raft remove-peer NAME. Autopilot's cleanup_dead_servers does it by itself.",
			Source: docs + "concepts/integrated-storage/autopilot#dead-server-cleanup",
			Check: raft(func(raft Raft, _ Limits) Finding {
				return blame(raft.Dead, "peer", "A peer is dead, and still counts as a voter", "No peer is dead")
			}),
		},
	}
}
