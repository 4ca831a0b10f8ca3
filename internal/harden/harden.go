// Package harden checks how well a Vault is locked down.
//
// A control is a pure check over facts that somebody else has gathered: it reads
// nothing and changes nothing. The package must not know the Vault API.
package harden

import "fmt"

// Facts are what the controls judge.
type Facts struct {
	// RootStored is whether a root token is in our keys record.
	RootStored bool
	// LoginWorks is whether the login of later runs was tried and worked.
	LoginWorks bool
	// AuditDevices holds the paths of the enabled audit devices.
	AuditDevices []string
}

// Control is one thing that should be true of a Vault.
type Control struct {
	// ID is stable; reports and exceptions refer to it.
	ID string
	// Name says in a few words what should be true.
	Name string
	// Why says what goes wrong otherwise.
	Why string
	// Required is whether a run may call a Vault hardened without it.
	Required bool
	// Check returns whether it holds, and what was seen.
	Check func(Facts) (holds bool, seen string)
	// Remedy says how to put it right.
	Remedy string
}

// Controls returns all controls, required ones first.
func Controls() []Control {
	return []Control{
		{
			ID: "own-login", Name: "later runs can log in", Required: true,
			Why: "Without a login of our own, the next run would need a root token.",
			Check: func(f Facts) (bool, string) {
				if f.LoginWorks {
					return true, "our login works"
				}
				return false, "our login was not proven"
			},
			Remedy: "See what the login answers, and put the auth method, the role and the policy right.",
		},
		{
			ID: "root-token-gone", Name: "no root token is kept", Required: true,
			Why: "A root token opens everything and leaves no name in the audit log.",
			Check: func(f Facts) (bool, string) {
				if f.RootStored {
					return false, "a root token is in the keys record"
				}
				return true, "none is stored"
			},
			Remedy: "Run again: the root token is revoked when the login has been proven.",
		},
		{
			ID: "audit-device", Name: "an audit device is enabled",
			Why: "Without one, nobody can tell who did what.",
			Check: func(f Facts) (bool, string) {
				return len(f.AuditDevices) > 0, fmt.Sprintf("%d enabled", len(f.AuditDevices))
			},
			Remedy: "Declare one under 'audit' in the seed.",
		},
		{
			ID: "second-audit-device", Name: "a second audit device is enabled",
			Why: "Vault stops answering, and stays sealed after a restart, when its only audit device cannot be written.",
			Check: func(f Facts) (bool, string) {
				return len(f.AuditDevices) > 1, fmt.Sprintf("%d enabled", len(f.AuditDevices))
			},
			Remedy: "Declare two under 'audit' in the seed, on different targets.",
		},
	}
}

// Result is what a control has come to.
type Result struct {
	Control
	Holds bool
	Seen  string
}

// Check runs all controls.
func Check(facts Facts) []Result {
	controls := Controls()
	results := make([]Result, len(controls))
	for i, control := range controls {
		holds, seen := control.Check(facts)
		results[i] = Result{Control: control, Holds: holds, Seen: seen}
	}
	return results
}

// Failed returns the results that do not hold: the required ones, or the others.
func Failed(results []Result, required bool) []Result {
	var failed []Result
	for _, result := range results {
		if !result.Holds && result.Required == required {
			failed = append(failed, result)
		}
	}
	return failed
}
