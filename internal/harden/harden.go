// Package harden judges how well a Vault is locked down.
//
// A control is a pure check over facts that somebody else has gathered: it reads nothing and
// changes nothing. What could not be read is unknown, and what is unknown never holds. A fix is a
// list of calls for somebody else to make. The packages gather and kube below it read the facts,
// and report shows the results.
//
// The package knows paths of Vault's API by name, and must not know how to call them.
package harden

// Severity says how bad it is when a control does not hold.
type Severity int

// The severities, lowest first.
const (
	Low Severity = iota + 1
	Medium
	High
	Critical
)

var severityNames = [...]string{"", "low", "medium", "high", "critical"}

// String returns the name, in lower case.
func (s Severity) String() string { return severityNames[s] }

// ParseSeverity returns the severity called name.
func ParseSeverity(name string) (Severity, bool) {
	for i, each := range severityNames {
		if each == name && i > 0 {
			return Severity(i), true
		}
	}
	return 0, false
}

// Severities returns all severities, worst first.
func Severities() []Severity { return []Severity{Critical, High, Medium, Low} }

// Profile is a set of required controls. A stricter profile requires all that a milder one does.
type Profile int

// The profiles, mildest first. Base is what every run requires of itself, whatever the
// seed says; Advice is required by none.
const (
	Base Profile = iota
	Baseline
	Production
	Strict
	Advice
)

var profileNames = [...]string{"always", "baseline", "production", "strict", "advice"}

// String returns the name, in lower case.
func (p Profile) String() string { return profileNames[p] }

// ParseProfile returns the profile called name.
func ParseProfile(name string) (Profile, bool) {
	for _, each := range []Profile{Baseline, Production, Strict} {
		if each.String() == name {
			return each, true
		}
	}
	return 0, false
}

// Status is the result of a control.
type Status string

// The statuses. Accepted is a failure that exceptions cover, and Declared one that the seed declares,
// all of it or what the exceptions leave.
const (
	Holds        Status = "holds"
	Fails        Status = "fails"
	Unknown      Status = "unknown"
	Inapplicable Status = "does not apply"
	Accepted     Status = "accepted"
	Declared     Status = "declared"
)

// Call is one request that repairs something.
type Call struct {
	// Delete is whether it is a DELETE; else Data is written to Path.
	Delete bool
	Path   string
	Data   map[string]any
	// Object is what it repairs, as the control names it; empty if the control names no objects.
	Object string
}

// String returns the call in words, for logs and reports.
func (c Call) String() string {
	if c.Delete {
		return "delete " + c.Path
	}
	return "write " + c.Path
}

// Control is one thing that should be true of a Vault.
type Control struct {
	// ID is stable; reports, seeds and exceptions refer to it.
	ID string
	// Name is the title: it says what is demanded, whatever was found.
	Name     string
	Severity Severity
	// Profile is the mildest profile that requires it.
	Profile Profile
	// Why says what goes wrong otherwise, How how it is checked, Remedy how to repair it, and
	// Source where the vendor recommends it.
	Why, How, Remedy, Source string
	// OnOpenBao is the remedy on OpenBao, if it is another one.
	OnOpenBao string
	// Groups are the facts that the check needs.
	Groups []Group
	// ActiveOnly is whether the facts are of the active node only.
	ActiveOnly bool
	// Deep is whether the facts cost more the more a Vault is used: they are gathered
	// only when asked for.
	Deep bool
	// Check judges.
	Check func(Facts, Limits) Finding
	// Fix returns the calls that repair a failure. It is nil if the API has none, or none that
	// should be made without a person. FixGrants is what they need.
	Fix       func(Facts, Limits) []Call
	FixGrants []Grant
}

// Controls returns all controls, by subject.
func Controls() []Control {
	var all []Control
	for _, some := range [][]Control{accessControls(), tokenControls(), auditControls(), mountControls(), frontControls(),
		serverControls(), keyControls(), recordControls(), clusterControls(), kubernetesControls()} {
		all = append(all, some...)
	}
	return all
}

// Find returns the control with this ID.
func Find(id string) (Control, bool) {
	for _, control := range Controls() {
		if control.ID == id {
			return control, true
		}
	}
	return Control{}, false
}

// The vendor's pages that controls refer to.
const (
	docs      = "https://developer.hashicorp.com/vault/docs/"
	apiDocs   = "https://developer.hashicorp.com/vault/api-docs/"
	hardening = docs + "concepts/production-hardening"
	kubeDocs  = "https://kubernetes.io/docs/"
)
