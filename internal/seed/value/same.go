package value

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-secure-stdlib/parseutil"
)

// Same reports whether shown, as Vault returns it, is equal to want. Vault returns values in other
// forms than written: durations as seconds, lists for comma-separated text, sets in its own order.
func Same(field string, want, shown any) bool {
	want = Reveal(want)
	switch shown := shown.(type) {
	case nil:
		return IsEmpty(want)
	case bool:
		text, ok := ScalarText(want)
		parsed, err := strconv.ParseBool(text)
		return ok && (err == nil && parsed == shown || text == "" && !shown)
	case json.Number:
		return sameNumber(want, shown)
	case string:
		return SameText(field, want, shown)
	case []any:
		return sameList(field, want, shown)
	case map[string]any:
		return sameMap(field, want, shown)
	default:
		return false
	}
}

func sameNumber(want any, shown json.Number) bool {
	text, ok := ScalarText(want)
	if !ok {
		return false
	}
	if text == shown.String() {
		return true
	}
	target, err := shown.Float64()
	if err != nil {
		return false
	}
	if text == "" || text == "system" { // both stand for 0, the server's default
		return target == 0
	}
	if value, err := strconv.ParseFloat(text, 64); err == nil {
		return value == target
	}
	seconds, ok := Seconds(text)
	return ok && seconds == target
}

// SameText is Same for a text shown by Vault.
func SameText(field string, want any, shown string) bool {
	if list, ok := want.([]any); ok {
		return sameList(field, list, ToList(SplitList(shown)))
	}
	text, ok := ScalarText(want)
	switch {
	case !ok:
		return false
	case text == shown:
		return true
	case Leaf(field) == "policy":
		return strings.TrimSpace(text) == strings.TrimSpace(shown)
	case timeLike(field):
		a, okA := Seconds(text)
		b, okB := Seconds(shown)
		return okA && okB && a == b
	}
	return sameTruth(text, shown)
}

// sameTruth reports whether two texts are the same boolean, at least one of them spelt out: Vault
// shows the option true as "1".
func sameTruth(a, b string) bool {
	truthA, errA := strconv.ParseBool(a)
	truthB, errB := strconv.ParseBool(b)
	return errA == nil && errB == nil && truthA == truthB && len(a)+len(b) > 2
}

func sameList(field string, want any, shown []any) bool {
	var list []any
	switch want := want.(type) {
	case []any:
		list = want
	case string:
		if len(shown) == 1 && shown[0] == want { // one text with commas in it, such as SQL
			return true
		}
		list = ToList(SplitList(want))
	case map[string]any:
		return false
	default:
		list = []any{want}
	}
	if setLike(field) {
		a, okA := AsSet(field, list)
		b, okB := AsSet(field, shown)
		if okA && okB {
			return slices.Equal(a, b)
		}
	}
	return slices.EqualFunc(list, shown, func(a, b any) bool { return Same(field, a, b) })
}

func sameMap(field string, want any, shown map[string]any) bool {
	mapping, ok := want.(map[string]any)
	if !ok {
		return len(shown) == 0 && IsEmpty(want)
	}
	if len(mapping) != len(shown) {
		return false
	}
	for name, value := range mapping {
		other, there := shown[name]
		if text, ok := value.(string); ok && ownWords(field) {
			there = there && other == text
		} else {
			there = there && Same(field+"."+name, value, other)
		}
		if !there {
			return false
		}
	}
	return true
}

// IsEmpty reports whether Vault treats value as empty: it omits such fields from its answers.
func IsEmpty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case bool:
		return !value
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	text, _ := ScalarText(value)
	return text == "" || text == "0"
}

// Seconds parses a duration as Vault does: 90, 90s, 1h30m, 7d.
func Seconds(text string) (float64, bool) {
	if text == "" { // which the parser reads as 0
		return 0, false
	}
	d, err := parseutil.ParseDurationSecond(text)
	return d.Seconds(), err == nil
}

// timeLike reports whether a text under this name is a duration.
func timeLike(field string) bool {
	return containsAny(Leaf(field), "ttl", "period", "duration", "leeway", "timeout", "lease", "interval", "skew", "expiry", "_after")
}

// setLike reports whether the order of a list under this name does not matter.
func setLike(field string) bool {
	name := Leaf(field)
	if strings.Contains(field, "data.") { // of a value in KV nothing is known
		return false
	}
	return strings.HasPrefix(name, "bound_") || strings.HasPrefix(name, "allowed_") || strings.HasPrefix(name, "disallowed_") ||
		containsAny(name, "policies", "cidr", "audience", "scopes", "_keys", "_headers", "groups", "accessors", "_ids", "_metadata")
}

func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

// AsSet returns the texts of list, sorted and without duplicates; ok is false if one is not a
// scalar. Vault lower-cases the names of policies.
func AsSet(field string, list []any) (set []string, ok bool) {
	for _, item := range list {
		text, ok := ScalarText(item)
		if !ok {
			return nil, false
		}
		text = strings.TrimSpace(text)
		switch {
		case strings.Contains(Leaf(field), "policies"):
			text = strings.ToLower(text)
		case strings.Contains(Leaf(field), "cidr"):
			text = sameBlock(text)
		}
		set = append(set, text)
	}
	slices.Sort(set)
	return slices.Compact(set), true
}

// sameBlock returns an address for a CIDR block that holds only that: Vault shows 127.0.0.1/32 as
// 127.0.0.1. Other texts are returned as they are.
func sameBlock(text string) string {
	block, err := netip.ParsePrefix(text)
	if err != nil || block.Bits() != block.Addr().BitLen() {
		return text
	}
	return block.Addr().String()
}

// SplitList returns the words of a comma-separated text.
func SplitList(text string) []string {
	var words []string
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// ToList returns words as a list of values.
func ToList(words []string) []any {
	list := make([]any, len(words))
	for i, word := range words {
		list[i] = word
	}
	return list
}

// Identical reports whether shown is exactly want. Values in KV belong to the user: Vault keeps
// "1m", "60" and 60 as they are, so they are three different values.
func Identical(want, shown any) bool {
	switch want := want.(type) {
	case map[string]any:
		other, ok := shown.(map[string]any)
		if !ok || len(want) != len(other) {
			return false
		}
		for name, value := range want {
			if shown, there := other[name]; !there || !Identical(value, shown) {
				return false
			}
		}
		return true
	case []any:
		other, ok := shown.([]any)
		return ok && slices.EqualFunc(want, other, Identical)
	case json.Number, int, int64, float64:
		number, ok := shown.(json.Number)
		return ok && fmt.Sprint(want) == number.String() // as numbers, long ones would be one
	}
	return want == shown
}

// ownWords reports whether the mapping under field holds texts of the user, which Vault keeps as
// they are: "true" is just a text there.
func ownWords(field string) bool {
	return slices.Contains([]string{"metadata", "custom_metadata", "claim_mappings", "default_extensions", "default_critical_options"}, Leaf(field))
}
