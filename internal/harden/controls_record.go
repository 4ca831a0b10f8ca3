package harden

import (
	"time"
)

// Record is the keys record, as far as it shows without a key.
type Record struct {
	// Stored is whether it holds any keys, and Shares whether key shares are among them that no
	// operator keeps.
	Stored, Shares bool
	// Operators is whether the key shares are encrypted to operators.
	Operators bool
	// Clear are what can be read in it without any key, and opens Vault or a part of it.
	Clear []string
	// Recipients are those to whom it is encrypted; none if it is not.
	Recipients []Recipient
}

// Recipient is who opens an encrypted record.
type Recipient struct {
	Name string
	// Beside is whether whoever can read the record can also read what opens it.
	Beside Fact[bool]
	// Since is when the record was encrypted to it, and Proven when it was last seen to open a
	// record; zero if it never was.
	Since, Proven time.Time
}

// tested returns when a recipient was last known to be good: an escrow counts as such when it is
// made, or nobody could ever make one.
func (r Recipient) tested() time.Time {
	if r.Proven.After(r.Since) {
		return r.Proven
	}
	return r.Since
}

// KeysEncrypted is the ID of the control over the keys at rest.
const KeysEncrypted = "keys-encrypted"

// recordControls are about the keys at rest.
func recordControls() []Control {
	record := func(check func(Record, Facts, Limits) Finding) func(Facts, Limits) Finding {
		return func(facts Facts, limits Limits) Finding {
			if facts.Keyless {
				return inapplicable("No keys are stored: --keys=none")
			}
			return on(func(f Facts) Fact[Record] { return f.Record }, func(record Record, limits Limits) Finding {
				if !record.Stored {
					return inapplicable("No keys are stored")
				}
				return check(record, facts, limits)
			})(facts, limits)
		}
	}
	groups := []Group{GroupRecord}
	return []Control{
		{
			ID: KeysEncrypted, Name: "The keys are encrypted at rest", Severity: High, Profile: Production, Groups: groups,
			Why: "In clear, whoever reads the keys record is root: people with access to Secrets, to etcd, to its backups, to the API server's audit log.",
			How: "Reading the keys record: key shares, tokens, private keys and secret IDs must be encrypted to recipients, and key shares may be to operators. " +
				"An age identity (--keys-identity) that lies in the records' directory, or comes from an object in their namespace, encrypts nothing from those who read there.",
			Remedy: "'vault-bootstrap keys reseal --keys-to=RECIPIENT' encrypts them, to a key of a KMS or to an identity that lies elsewhere (of a record that is encrypted already, --keys-to=PRESENT --to=RECIPIENT); every later run takes it with --keys-to. " +
				"Who could read them before may have copied them: 'vault-bootstrap keys rotate' exchanges them.",
			Source: kubeDocs + "concepts/security/secrets-good-practices/",
			Check:  record(encrypted),
		},
		{
			ID: "keys-second-recipient", Name: "The keys have a second recipient", Severity: High, Profile: Production, Groups: groups,
			Why: "If a key of a KMS is deleted, what only it opens is lost, and with it everything in a Vault that is sealed.",
			How: "Counting the recipients in the keys record. An escrow, whose identity lies elsewhere, is one of them.",
			Remedy: "'vault-bootstrap keys reseal --keys-to=PRESENT --to=PRESENT --to=age:RECIPIENT' adds one whose identity may lie in a safe. " +
				"Give every later run both with --keys-to.",
			Source: docs + "concepts/seal#seal-high-availability",
			Check: record(func(record Record, _ Facts, _ Limits) Finding {
				var only []string
				switch {
				case len(record.Recipients) == 0:
					return inapplicable("The keys are not encrypted to recipients")
				case !record.Shares:
					return inapplicable("No key share is kept that could be lost with a recipient")
				case len(record.Recipients) == 1:
					only = append(only, record.Recipients[0].Name)
				}
				return blame(only, "recipient", "The keys are lost with their only recipient", "More than one recipient can open the keys").
					valuedIf(len(only) == 0, "%s", count(len(record.Recipients), "recipient"))
			}),
		},
		{
			ID: "recipients-proven", Name: "Every recipient of the keys was tried within the limit", Severity: Medium, Profile: Production, Groups: groups,
			Why:    "That an identity is gone from its safe, or that a key may no longer decrypt, is otherwise found when it is the last one that could help.",
			How:    "Reading in the keys record when each recipient last unwrapped a data key, and comparing that with the limit 'proof-age'. Of one that never did, it counts since when there is one.",
			Remedy: "'vault-bootstrap keys test', with the --keys-to of the runs, tries those that can be used there and records when. Whoever keeps the identity of an escrow does so with 'vault-bootstrap keys test --keys-identity=FILE --recipients-only'.",
			Source: docs + "concepts/production-hardening",
			Check: record(func(record Record, facts Facts, limits Limits) Finding {
				if len(record.Recipients) == 0 {
					return inapplicable("The keys are not encrypted to recipients")
				}
				var old []string
				for _, recipient := range record.Recipients {
					if facts.Now.Sub(recipient.tested()) > limits.ProofAge {
						old = append(old, recipient.Name)
					}
				}
				return blame(old, "recipient", "A recipient was not tried for too long", "No recipient is untried for longer than the limit").
					valuedIf(true, "limit %s", limits.ProofAge)
			}),
		},
	}
}

// encrypted judges whether the keys can be read by whoever reads the record.
func encrypted(record Record, _ Facts, _ Limits) Finding {
	if len(record.Recipients) == 0 {
		good := "Nothing that is kept in clear opens Vault"
		if record.Operators {
			good = "The key shares are encrypted to operators, and nothing that is kept in clear opens Vault"
		}
		return blame(record.Clear, "secret", "The keys record can be read without any key", good)
	}
	var beside []string
	why := ""
	for _, recipient := range record.Recipients {
		is, known := recipient.Beside.Get()
		if !known {
			why = recipient.Beside.Why()
		}
		if is {
			beside = append(beside, recipient.Name)
		}
	}
	if len(beside) == 0 && why != "" {
		return unknown(why)
	}
	return blame(beside, "recipient", "The keys can be opened with an identity that lies beside them", "What opens the keys is kept elsewhere").
		valuedIf(len(beside) == 0, "%s", count(len(record.Recipients), "recipient"))
}
