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
	result.Fix = nil
	if facts.Namespace != "" && len(WithoutServer(control.Groups)) < len(control.Groups) {
		result.Finding = inapplicable("It is about the server, which only its root namespace shows")
		return result
	}
	result.Finding = control.check(facts, rules.Limits)
	result.Seen = worded(result.Seen, facts.Product)
	// A namespace that could not be looked into can be accepted by its name.
	unread := result.Status == Unknown && len(result.Objects) > 0
	if result.Status != Fails && !unread {
		return result
	}
	result.accept(facts, rules)
	if control.Fix != nil && result.Status == Fails && len(control.fix(facts, rules.Limits, result.Objects)) > 0 {
		blamed := result.Objects
		result.Fix = func(facts Facts, limits Limits) []Call { return control.fix(facts, limits, blamed) }
	}
	return result
}

// accept takes away from a failure what exceptions cover and what the seed declares.
func (r *Result) accept(facts Facts, rules Rules) {
	left, whole := slices.Clone(r.Objects), false
	for _, exception := range rules.Exceptions {
		if exception.Control != r.ID || exception.Object != "" && !slices.Contains(r.Objects, exception.Object) {
			continue
		}
		if exception.IsExpired(facts.Now) {
			r.Expired = append(r.Expired, exception)
			continue
		}
		r.Exceptions = append(r.Exceptions, exception)
		whole = whole || exception.Object == ""
		left = slices.DeleteFunc(left, func(object string) bool { return object == exception.Object })
	}
	covered := whole || len(r.Objects) > 0 && len(left) == 0
	// What an exception covers needs no other reason.
	r.Declared = slices.DeleteFunc(r.Declared, func(w Waiver) bool { return covered || w.Object != "" && !slices.Contains(left, w.Object) })
	excepted := len(r.Objects) - len(left)
	if rules.TakesDeclared(r.Control) {
		left = slices.DeleteFunc(left, r.declares)
	}
	declared := len(r.Objects) - excepted - len(left)
	switch {
	case covered:
		r.Status = Accepted
	case rules.TakesDeclared(r.Control) && (declared > 0 && len(left) == 0 || r.declares("")):
		r.Status = Declared
	default:
		r.Objects = left
		r.note(excepted, "accepted")
		r.note(declared, "declared in the seed")
		if !rules.TakesDeclared(r.Control) {
			r.note(len(r.Declared), "declared in the seed, which the profile strict does not accept")
		}
		if len(r.Expired) > 0 {
			r.Seen += ", and an exception for it has expired"
		}
	}
}

// declares reports whether the seed declares an object so.
func (r *Result) declares(object string) bool {
	return slices.ContainsFunc(r.Declared, func(w Waiver) bool { return w.Object == object })
}

// note adds to the value how many objects are otherwise.
func (r *Result) note(n int, how string) {
	if n == 0 {
		return
	}
	if r.Value != "" {
		r.Value += ", "
	}
	r.Value += fmt.Sprintf("%d %s", n, how)
}

// shownObjects is how many objects a message names.
const shownObjects = 4

// Blamed returns the names of what is to blame, of many the first ones and how many more there are;
// "" if there are none.
func (r Result) Blamed() string {
	shown := r.Objects[:min(len(r.Objects), shownObjects)]
	text := listed(shown)
	if rest := len(r.Objects) - len(shown); rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

// Message says in a line which control has found what, what is to blame, and where the seed
// declares what the profile does not accept for that.
func (r Result) Message() string { return r.ID + ": " + r.Found() }

// Found is the message without the control.
func (r Result) Found() string {
	text := r.String()
	if blamed := r.Blamed(); blamed != "" {
		text += ": " + blamed
	}
	for _, waiver := range r.Declared {
		if r.Failed() && (waiver.Object == "" || slices.Contains(r.Objects, waiver.Object)) {
			text += ", declared at " + waiver.Position
		}
	}
	return text
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
			return unknown(fact.why)
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
