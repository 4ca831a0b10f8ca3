package acl

import (
	"encoding/binary"
	"slices"
	"strings"
)

// Rules are the rules of all policies that a token has, by path.
//
// Vault picks the one rule for a request by comparing the paths of those rules that match
// it, and by nothing else of the request: so two paths that the same rules match have the
// same capabilities (acl.go of Vault 1.21, and of OpenBao 2.6).
type Rules struct {
	exact    map[string]uint64
	prefixes []rule
	segments []rule
	known    uint64
	// vague are prefixes of paths about which nothing is certain.
	vague []string
}

// rule is one path of a policy.
type rule struct {
	number uint64
	// path is without the * at the end, which isPrefix records.
	path     string
	isPrefix bool
}

// Add adds the rules of a policy. If it cannot be parsed, every path is uncertain.
func (r *Rules) Add(policy string) {
	list, err := Parse(policy)
	if err != nil {
		r.AddUnknown()
		return
	}
	for _, item := range list.Filter("path").Items {
		if len(item.Keys) == 0 {
			r.AddUnknown()
			return
		}
		r.add(strings.TrimPrefix(Text(item.Keys[0]), "/"))
	}
}

// AddUnknown adds a policy about which nothing is known.
func (r *Rules) AddUnknown() { r.vague = append(r.vague, "") }

func (r *Rules) add(path string) {
	if before, _, templated := strings.Cut(path, "{{"); templated {
		// Vault may replace the template with anything.
		before, _, _ = strings.Cut(before, "+")
		r.vague = append(r.vague, before)
		return
	}
	r.known++
	one := rule{number: r.known, path: strings.TrimSuffix(path, "*")}
	one.isPrefix = one.path != path
	switch {
	case path == "+" || strings.HasPrefix(path, "+/") || strings.Contains(path, "/+"):
		r.segments = append(r.segments, one)
	case one.isPrefix:
		r.prefixes = append(r.prefixes, one)
	default:
		if r.exact == nil {
			r.exact = map[string]uint64{}
		}
		r.exact[path] = one.number
	}
}

// Alike returns a key that is the same for all paths that the same rules match. If certain is
// false, that is not known of the path, and Vault has to be asked about it alone.
func (r *Rules) Alike(path string) (key string, certain bool) {
	for _, vague := range r.vague {
		if strings.HasPrefix(path, vague) {
			return "", false
		}
	}
	// To list, Vault also accepts a path without the trailing slash.
	bare := strings.TrimSuffix(path, "/")
	matched := r.matches(nil, path)
	if bare != path {
		matched = r.matches(append(matched, 0), bare)
	}
	return string(matched), true
}

// matches appends the numbers of the rules that match path.
func (r *Rules) matches(matched []byte, path string) []byte {
	note := func(number uint64) { matched = binary.AppendUvarint(matched, number) }
	if number, is := r.exact[path]; is {
		note(number)
	}
	for _, one := range r.prefixes {
		if strings.HasPrefix(path, one.path) {
			note(one.number)
		}
	}
	for _, one := range r.segments {
		if matchesNames(one.path, path, one.isPrefix) {
			note(one.number)
		}
	}
	return matched
}

// Matches reports whether the path of a rule, as policies write it, matches path: + stands for one
// name, a * at the end for anything.
func Matches(rule, path string) bool {
	bare, isPrefix := strings.CutSuffix(rule, "*")
	if isPrefix && !strings.Contains(bare, "+") {
		return strings.HasPrefix(path, bare)
	}
	return matchesNames(bare, path, isPrefix)
}

// matchesNames compares name by name; with isPrefix the rule's last name is a prefix.
func matchesNames(rule, path string, isPrefix bool) bool {
	for {
		want, left, more := strings.Cut(rule, "/")
		have, rest, further := strings.Cut(path, "/")
		if !more {
			if want == "+" || want == have {
				return isPrefix || !further
			}
			return isPrefix && strings.HasPrefix(have, want)
		}
		if want != have && want != "+" || !further {
			return false
		}
		rule, path = left, rest
	}
}

// Representatives returns, for each of paths, the path that Vault is asked about instead, and all
// of those in order.
func (r *Rules) Representatives(paths []string) (of map[string]string, all []string) {
	of = make(map[string]string, len(paths))
	first := map[string]string{}
	for _, path := range paths {
		if _, known := of[path]; known {
			continue
		}
		key, certain := r.Alike(path)
		representative, known := first[key]
		if !certain || !known {
			representative = path
			all = append(all, path)
			if certain {
				first[key] = path
			}
		}
		of[path] = representative
	}
	return of, slices.Clip(all)
}
