package seed

import (
	"encoding/json"
	"fmt"
	"slices"
)

// same reports whether shown, as Vault returns it, is what o has in field.
func (o Object) same(field string, want, shown any) bool {
	if o.how.exact {
		return identical(reveal(want), shown)
	}
	return same(field, want, shown)
}

// identical reports whether shown is want to the letter. Values in KV are nobody's but
// the user's: Vault keeps "1m", "60" and 60 as they are, and so are they three things.
func identical(want, shown any) bool {
	switch want := want.(type) {
	case map[string]any:
		other, ok := shown.(map[string]any)
		if !ok || len(want) != len(other) {
			return false
		}
		for name, value := range want {
			if shown, there := other[name]; !there || !identical(value, shown) {
				return false
			}
		}
		return true
	case []any:
		other, ok := shown.([]any)
		return ok && slices.EqualFunc(want, other, identical)
	case json.Number, int, int64, float64:
		number, ok := shown.(json.Number)
		return ok && fmt.Sprint(want) == number.String() // as numbers, long ones would be one
	}
	return want == shown
}

// surplus returns the names of what Vault shows and o, which is written whole, has not.
func (o Object) surplus(shown map[string]any) (names []string) {
	if !o.how.whole {
		return nil
	}
	for name := range shown {
		if _, ours := o.Data[name]; !ours {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// ownWords reports whether names and texts in the mapping under field are the user's
// own, so that Vault keeps them as they are: "true" there is a word.
func ownWords(field string) bool {
	return slices.Contains([]string{"metadata", "custom_metadata", "claim_mappings", "default_extensions", "default_critical_options"}, leaf(field))
}
