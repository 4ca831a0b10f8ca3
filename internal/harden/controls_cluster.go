package harden

import "time"

// keyControls are about the keys that protect the storage.
func keyControls() []Control {
	const day = 24 * time.Hour
	key := func(f Facts) Fact[Key] { return f.Key }
	idle := func(started bool, _ Limits) Finding {
		if started {
			return fails("one is in progress")
		}
		return holds("none is in progress")
	}
	return []Control{
		{
			ID: "generate-root-idle", Name: "no root token is being generated", Severity: High, Profile: Production, Groups: []Group{GroupAttempts},
			Why:    "An open attempt can be completed by whoever provides the last key shares.",
			How:    "Asking for the state of generate-root; where the server has closed that to those without a token, of what takes its place.",
			Remedy: "Ask who started it. If nobody needs it, cancel it: vault operator generate-root -cancel. vault-bootstrap never cancels an attempt of others.",
			Source: apiDocs + "system/generate-root",
			Check:  on(func(f Facts) Fact[bool] { return f.GenerateRoot }, idle),
		},
		{
			ID: "rekey-idle", Name: "nobody is rekeying", Severity: High, Profile: Production, Groups: []Group{GroupAttempts},
			Why:       "An open rekey can be completed by others, and the stored key shares are then worthless.",
			How:       "Asking for the state of rekey; where the server has closed that to those without a token, of what takes its place.",
			Remedy:    "Ask who started it. If nobody needs it, cancel it: vault operator rekey -cancel. vault-bootstrap never cancels a rekey of others.",
			OnOpenBao: "Ask who started it. If nobody needs it, cancel it: bao operator rotate-keys -cancel, with -target=recovery for recovery keys. vault-bootstrap never cancels a rekey of others.",
			Source:    apiDocs + "system/rekey",
			Check:     on(func(f Facts) Fact[bool] { return f.Rekey }, idle),
		},
		{
			ID: "key-age", Name: "the storage key is not old", Severity: Medium, Profile: Production, Groups: []Group{GroupKey},
			Why:    "The more is encrypted with one key, the more is lost with it.",
			How:    "Reading when the key was installed and comparing its age with the limit 'key-age'.",
			Remedy: "Rotate it: vault operator rotate. It interrupts nothing.",
			Source: docs + "internals/rotation",
			Check: func(facts Facts, limits Limits) Finding {
				return on(key, func(key Key, limits Limits) Finding {
					age := facts.Now.Sub(key.Installed)
					if age > limits.KeyAge {
						return fails("it is %s old, the limit is %s", age.Round(time.Second), limits.KeyAge)
					}
					return holds("it is %s old", age.Round(time.Second))
				})(facts, limits)
			},
			Fix:       func(Facts, Limits) []Call { return []Call{{Path: "sys/rotate"}} },
			FixGrants: []Grant{{"sys/rotate", []string{"update", "sudo"}}},
		},
		{
			ID: "key-rotation", Name: "the storage key rotates automatically", Severity: Low, Profile: Strict, Groups: []Group{GroupKey},
			Why:    "Vault rotates it after some 3.9 billion operations unless configured otherwise: on most servers, never.",
			How:    "Reading the settings of the rotation and comparing its interval with the limit 'key-age'.",
			Remedy: "Set an interval: vault write sys/rotate/config enabled=true interval=8760h.",
			Source: apiDocs + "system/rotate-config",
			Check: on(key, func(key Key, limits Limits) Finding {
				switch {
				case !key.Rotates:
					return fails("it is turned off")
				case key.Interval == 0:
					return fails("only after a number of operations")
				case key.Interval > max(limits.KeyAge, day):
					return fails("every %s, the limit is %s", key.Interval, limits.KeyAge)
				default:
					return holds("every %s", key.Interval)
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
					return fails("its seal is %s", seal.Type)
				}
				return holds("its seal is %s", seal.Type)
			}),
		},
	}
}

// clusterControls are about integrated storage.
func clusterControls() []Control {
	raft := func(check func(Raft, Limits) Finding) func(Facts, Limits) Finding {
		return func(facts Facts, limits Limits) Finding {
			if seal, known := facts.Seal.Get(); known && seal.Storage != "raft" {
				return inapplicable("the storage is %s", seal.Storage)
			}
			return on(func(f Facts) Fact[Raft] { return f.Raft }, check)(facts, limits)
		}
	}
	groups := []Group{GroupRaft, GroupSeal}
	return []Control{
		{
			ID: "raft-autopilot", Name: "autopilot finds the cluster healthy", Severity: High, Profile: Production, Groups: groups,
			Why:    "An unhealthy cluster is one failure away from losing its quorum, or has lost it.",
			How:    "Reading autopilot's state.",
			Remedy: "Check which server is unhealthy: vault operator raft autopilot state.",
			Source: docs + "concepts/integrated-storage/autopilot",
			Check: raft(func(raft Raft, _ Limits) Finding {
				if !raft.Healthy {
					return fails("it does not")
				}
				return holds("it does, %d voters", raft.Voters)
			}),
		},
		{
			ID: "raft-quorum", Name: "the cluster survives the loss of a server", Severity: High, Profile: Production, Groups: groups,
			Why:    "Without spare voters, the first server that fails takes Vault with it.",
			How:    "Reading the voters and the failure tolerance from autopilot's state; the limit 'raft-voters' says how many there must be.",
			Remedy: "Run three or five servers, in different zones.",
			Source: docs + "internals/integrated-storage",
			Check: raft(func(raft Raft, limits Limits) Finding {
				if raft.Voters < limits.Voters || raft.Tolerance < (limits.Voters-1)/2 {
					return fails("%d voters, %d may fail", raft.Voters, raft.Tolerance)
				}
				return holds("%d voters, %d may fail", raft.Voters, raft.Tolerance)
			}),
		},
		{
			ID: "raft-dead-peers", Name: "no dead peer counts as a voter", Severity: Medium, Profile: Production, Groups: groups,
			Why:    "A server that never comes back still counts towards the quorum.",
			How:    "Reading the servers' states from autopilot.",
			Remedy: "Bring it back, or remove it: vault operator raft remove-peer NAME. Autopilot's cleanup_dead_servers does it by itself.",
			Source: docs + "concepts/integrated-storage/autopilot#dead-server-cleanup",
			Check: raft(func(raft Raft, _ Limits) Finding {
				return blame(raft.Dead, "dead peers: %d", "all are alive")
			}),
		},
	}
}
