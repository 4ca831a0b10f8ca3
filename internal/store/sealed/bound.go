package sealed

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// bound returns keys without what may change while the record cannot be opened: the epoch, and the
// statuses and init responses of attempts. A run must be able to fence off an earlier one, and to
// store Vault's answer, while every recipient is away; the answer is encrypted by itself.
func bound(keys store.Keys) store.Keys {
	keys.Epoch = 0
	if keys.Attempt != nil {
		attempt := *keys.Attempt
		keys.Attempt = &attempt
	}
	keys.Past = slices.Clone(keys.Past)
	for _, attempt := range keys.Attempts() {
		attempt.Status, attempt.Answer = "", nil
	}
	return keys
}

// unbind gives keys back what bound has left out. Both have the same attempts.
func unbind(keys *store.Keys, header store.Keys) {
	keys.Epoch = header.Epoch
	from := header.Attempts()
	for i, attempt := range keys.Attempts() {
		attempt.Status, attempt.Answer = from[i].Status, from[i].Answer
	}
}

// differs returns the first place in which a header is not what was encrypted; "" if there is none.
func (d *document) differs(recipients []string, keys, header store.Keys) (string, error) {
	if !slices.Equal(recipients, d.recipients()) {
		return "the list of recipients", nil
	}
	return difference(keys, bound(header))
}

// difference returns the first place in which the outlines of two records differ; "" if there is
// none.
func difference(a, b store.Keys) (string, error) {
	var trees [2]any
	for i, keys := range []store.Keys{a, b} {
		text, err := wire.EncodeOutline(keys)
		if err == nil {
			err = json.Unmarshal(text, &trees[i])
		}
		if err != nil {
			return "", err
		}
	}
	return firstDifference("", trees[0], trees[1]), nil
}

// firstDifference returns the path of the first place in which two JSON values differ.
func firstDifference(path string, a, b any) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	one, isObject := a.(map[string]any)
	other, both := b.(map[string]any)
	if isObject && both {
		names := slices.Concat(slices.Collect(maps.Keys(one)), slices.Collect(maps.Keys(other)))
		slices.Sort(names)
		for _, name := range names {
			if found := firstDifference(path+"."+name, one[name], other[name]); found != "" {
				return found
			}
		}
	}
	first, isList := a.([]any)
	second, both := b.([]any)
	if isList && both && len(first) == len(second) {
		for i := range first {
			if found := firstDifference(fmt.Sprintf("%s[%d]", path, i), first[i], second[i]); found != "" {
				return found
			}
		}
	}
	return fmt.Sprintf("%q", path[min(1, len(path)):])
}
