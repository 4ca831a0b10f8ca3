package harden

import (
	"fmt"
	"slices"
	"strings"
)

// Result is a control with what its check has found.
type Result struct {
	Control
	Finding
	// Required is whether a run may call a Vault hardened without it.
	Required bool
	// Fixed is whether 'run' repairs it, because the seed says so.
	Fixed bool
	// Exceptions cover what was found; Expired are those that did so until they expired.
	Exceptions, Expired []Exception
}

// Failed reports whether the result counts against the Vault. Unknown results do.
func (r Result) Failed() bool { return r.Status == Fails || r.Status == Unknown }

// Fixable reports whether a call to the API can repair it.
func (r Result) Fixable() bool { return r.Status == Fails && r.Fix != nil }

// Judge checks all controls that apply. Controls over costly facts are left out unless
// deep is set.
func Judge(facts Facts, rules Rules, deep bool) []Result {
	var results []Result
	for _, control := range Controls() {
		onKubernetes := slices.Contains(control.Groups, GroupKubernetes)
		if control.Deep && !deep || onKubernetes && facts.Kubernetes == nil {
			continue
		}
		results = append(results, judge(control, facts, rules))
	}
	return results
}

func judge(control Control, facts Facts, rules Rules) Result {
	result := Result{
		Control: control.For(facts.Product), Required: rules.Requires(control), Fixed: slices.Contains(rules.Fix, control.ID),
	}
	if facts.Namespace != "" && len(WithoutServer(control.Groups)) < len(control.Groups) {
		result.Finding = inapplicable("it is about the server, which only its root namespace shows")
		return result
	}
	result.Finding = control.check(facts, rules.Limits)
	if control.Fix != nil {
		result.Fix = control.fix
	}
	// A namespace that could not be looked into can be accepted by its name.
	unread := result.Status == Unknown && len(result.Objects) > 0
	if result.Status != Fails && !unread {
		return result
	}
	left := slices.Clone(result.Objects)
	whole := false
	for _, exception := range rules.Exceptions {
		if exception.Control != control.ID || exception.Object != "" && !slices.Contains(result.Objects, exception.Object) {
			continue
		}
		if exception.IsExpired(facts.Now) {
			result.Expired = append(result.Expired, exception)
			continue
		}
		result.Exceptions = append(result.Exceptions, exception)
		whole = whole || exception.Object == ""
		left = slices.DeleteFunc(left, func(object string) bool { return object == exception.Object })
	}
	switch {
	case whole, len(result.Objects) > 0 && len(left) == 0:
		result.Status = Accepted
	case len(left) < len(result.Objects):
		result.Seen += fmt.Sprintf(", %d of them accepted", len(result.Objects)-len(left))
		result.Objects = left
	}
	if result.Failed() && len(result.Expired) > 0 {
		result.Seen += ", and an exception for it has expired"
	}
	return result
}

// Failed returns the results that count against the Vault: of the required ones, or of
// the others.
func Failed(results []Result, required bool) []Result {
	var failed []Result
	for _, result := range results {
		if result.Failed() && result.Required == required {
			failed = append(failed, result)
		}
	}
	return failed
}

// ToFix returns the results that a run has to repair.
func ToFix(results []Result) []Result {
	var found []Result
	for _, result := range results {
		if result.Fixed && result.Fixable() {
			found = append(found, result)
		}
	}
	return found
}

// on returns a check of a fact. If the fact is not known, the result is unknown.
func on[T any](pick func(Facts) Fact[T], check func(T, Limits) Finding) func(Facts, Limits) Finding {
	return func(facts Facts, limits Limits) Finding {
		fact := pick(facts)
		value, known := fact.Get()
		if !known {
			return Finding{Status: Unknown, Seen: fact.Why()}
		}
		return check(value, limits)
	}
}

// both returns a check of two facts.
func both[A, B any](a func(Facts) Fact[A], b func(Facts) Fact[B], check func(A, B, Limits) Finding) func(Facts, Limits) Finding {
	return func(facts Facts, limits Limits) Finding {
		return on(a, func(first A, limits Limits) Finding {
			return on(b, func(second B, limits Limits) Finding { return check(first, second, limits) })(facts, limits)
		})(facts, limits)
	}
}

// listed joins words for people.
func listed(words []string) string { return strings.Join(words, ", ") }
