package harden

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// Spec is what a seed says about the controls, as written.
type Spec struct {
	// Profile is the profile's name; empty means production.
	Profile string
	// Require and Advise add to and remove from what the profile requires; Fix names what a run
	// repairs.
	Require, Advise, Fix []string
	// Limits are values that controls compare with, by name.
	Limits     map[string]string
	Exceptions []ExceptionSpec
	// Positions are where in the seed the keys of the section are, by their names.
	Positions map[string]string
}

// ExceptionSpec is an exception as written, and where.
type ExceptionSpec struct{ Control, Object, Reason, Expires, Position string }

// Rules say what is required, what is fixed and what is accepted.
type Rules struct {
	Profile              Profile
	Require, Advise, Fix []string
	Limits               Limits
	Exceptions           []Exception
	// Declared is what the seed declares; nil without a seed.
	Declared Declarations
	// Warnings are about what the profile does not accept although the seed declares it.
	Warnings []string
}

// Exception accepts that a control fails, until a day.
type Exception struct {
	Control string
	// Object is what it applies to; empty means whatever the control finds.
	Object, Reason string
	// Until is when it expires.
	Until time.Time
}

// IsExpired reports whether the exception has expired.
func (e Exception) IsExpired(now time.Time) bool { return !now.Before(e.Until) }

// LastDay returns its last day, as written in a seed.
func (e Exception) LastDay() string { return e.Until.AddDate(0, 0, -1).Format(time.DateOnly) }

// Limits are the values that controls compare with.
type Limits struct {
	// KeyAge is how old the storage's key may be.
	KeyAge time.Duration
	// ClockSkew is how far a server's clock may be from ours.
	ClockSkew time.Duration
	// LeaseTTL is the longest that a lease or token may live.
	LeaseTTL time.Duration
	// CertificateLeft is for how long a server's certificate must still be valid.
	CertificateLeft time.Duration
	// PasswordLength is the least length of generated passwords.
	PasswordLength int
	// ProofAge is for how long a recipient of the keys may go untried.
	ProofAge time.Duration
	// Voters is the least number of raft voters.
	Voters int
	// Version is the oldest version of Vault; empty means any that is not known to be out
	// of support.
	Version string
}

// DefaultLimits returns the limits of a seed that sets none.
func DefaultLimits() Limits {
	return Limits{
		KeyAge: 365 * 24 * time.Hour, ClockSkew: 5 * time.Second, LeaseTTL: vaultTTL, CertificateLeft: 14 * 24 * time.Hour,
		PasswordLength: 16, ProofAge: 365 * 24 * time.Hour, Voters: 3,
	}
}

// vaultTTL is Vault's default: 32 days.
const vaultTTL = 768 * time.Hour

// LimitNames are the names of the limits in a seed.
func LimitNames() []string {
	return []string{"key-age", "clock-skew", "lease-ttl", "certificate-left", "password-length", "proof-age", "raft-voters", "version"}
}

// DefaultRules returns the rules without a seed: a profile and nothing else.
func DefaultRules(profile Profile) Rules { return Rules{Profile: profile, Limits: DefaultLimits()} }

// NewRules checks a spec. It reports all problems at once.
func NewRules(spec Spec) (Rules, error) {
	rules := DefaultRules(Production)
	rules.Require, rules.Advise = spec.Require, spec.Advise
	var problems []error
	if profile, ok := ParseProfile(spec.Profile); ok {
		rules.Profile = profile
	} else if spec.Profile != "" {
		problems = append(problems, fmt.Errorf("the profile must be baseline, production or strict, got %q", spec.Profile))
	}
	for _, id := range slices.Concat(spec.Require, spec.Advise) {
		if _, ok := Find(id); !ok {
			problems = append(problems, unknownControl(id))
		}
	}
	fix, err := fixes(spec.Fix)
	rules.Fix = fix
	problems = append(problems, err)
	for name, value := range spec.Limits {
		if err := rules.Limits.set(name, value); err != nil {
			problems = append(problems, err)
		}
	}
	for _, each := range spec.Exceptions {
		exception, err := newException(each)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		rules.Exceptions = append(rules.Exceptions, exception)
	}
	return rules, errors.Join(problems...)
}

// fixes resolves the names of controls to fix: "all" stands for all that have a fix.
func fixes(names []string) ([]string, error) {
	var found []string
	var problems []error
	for _, name := range names {
		control, ok := Find(name)
		switch {
		case name == "all":
			for _, control := range Controls() {
				if control.Fix != nil {
					found = append(found, control.ID)
				}
			}
		case !ok:
			problems = append(problems, unknownControl(name))
		case control.Fix == nil:
			problems = append(problems, fmt.Errorf("the control %q has no fix that the API allows: %s", name, control.Remedy))
		default:
			found = append(found, name)
		}
	}
	return found, errors.Join(problems...)
}

func unknownControl(id string) error {
	return fmt.Errorf("there is no control %q ('vault-bootstrap verify --list' shows all)", id)
}

func newException(spec ExceptionSpec) (Exception, error) {
	day, err := time.Parse(time.DateOnly, spec.Expires)
	if _, ok := Find(spec.Control); !ok {
		return Exception{}, unknownControl(spec.Control)
	}
	switch {
	case strings.TrimSpace(spec.Reason) == "":
		return Exception{}, fmt.Errorf("the exception for %q has no reason", spec.Control)
	case err != nil:
		return Exception{}, fmt.Errorf("the exception for %q expires on %q, which is not a date such as 2027-01-31", spec.Control, spec.Expires)
	}
	return Exception{Control: spec.Control, Object: spec.Object, Reason: spec.Reason, Until: day.AddDate(0, 0, 1)}, nil
}

func (l *Limits) set(name, value string) error {
	durations := map[string]*time.Duration{"key-age": &l.KeyAge, "clock-skew": &l.ClockSkew, "lease-ttl": &l.LeaseTTL, "certificate-left": &l.CertificateLeft, "proof-age": &l.ProofAge}
	numbers := map[string]*int{"password-length": &l.PasswordLength, "raft-voters": &l.Voters}
	switch {
	case durations[name] != nil:
		duration, err := time.ParseDuration(value)
		if err != nil || duration <= 0 {
			return fmt.Errorf("the limit %s must be a positive duration such as 720h, got %q", name, value)
		}
		*durations[name] = duration
	case numbers[name] != nil:
		number, err := strconv.Atoi(value)
		if err != nil || number < 1 {
			return fmt.Errorf("the limit %s must be a positive number, got %q", name, value)
		}
		*numbers[name] = number
	case name == "version":
		if _, ok := product.ParseVersion(value); !ok {
			return fmt.Errorf("the limit version must be a version such as 1.21.1, got %q", value)
		}
		l.Version = value
	default:
		return fmt.Errorf("unknown limit %q; the limits are %s", name, listed(LimitNames()))
	}
	return nil
}

// Requires reports whether a control is required.
func (r Rules) Requires(control Control) bool {
	switch {
	case control.Profile == Base:
		return true
	case slices.Contains(r.Require, control.ID):
		return true
	case slices.Contains(r.Advise, control.ID):
		return false
	default:
		return control.Profile <= r.Profile && control.Profile != Advice
	}
}

// TakesDeclared reports whether it is enough for a control that the seed declares what it blames.
// The profile strict wants an exception, with a reason and a last day, for what is high or critical.
func (r Rules) TakesDeclared(control Control) bool {
	return r.Profile != Strict || control.Severity < High
}

// NamesKubernetes reports whether the rules require a control of the cluster around Vault by name.
// A run checks those only then, since it needs permissions beyond its own namespace.
func (r Rules) NamesKubernetes() bool {
	return slices.ContainsFunc(kubernetesControls(), func(control Control) bool { return slices.Contains(r.Require, control.ID) })
}

// Groups returns the facts that are needed to judge what the rules require and fix.
func (r Rules) Groups() []Group {
	var groups []Group
	for _, control := range Controls() {
		if !control.Deep && (r.Requires(control) || slices.Contains(r.Fix, control.ID)) {
			groups = append(groups, control.Groups...)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// FixGrants returns what fixing needs.
func (r Rules) FixGrants() []Grant {
	var grants []Grant
	for _, control := range Controls() {
		if slices.Contains(r.Fix, control.ID) {
			grants = append(grants, control.FixGrants...)
		}
	}
	return grants
}
