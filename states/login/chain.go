package login

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// Chain is the ways to log in, tried in order: the next one only when Vault, or the source of the
// credential, has refused the previous one.
type Chain []Method

// Name returns the methods' names, in order.
func (c Chain) Name() string {
	return c.join(",", func(m Method) string { return m.Name() })
}

// Objects returns what all the methods need. Tokens of the roles carry policy, and more beside it.
func (c Chain) Objects(policy string, more ...string) []object.Object {
	var all []object.Object
	for _, each := range c {
		for _, o := range each.Objects(policy) {
			if names, is := o.Data["token_policies"].([]any); is && len(more) > 0 {
				o.Data = maps.Clone(o.Data)
				for _, name := range more {
					names = append(slices.Clip(names), name)
				}
				o.Data["token_policies"] = names
			}
			all = append(all, o)
		}
	}
	return all
}

// Readers returns the methods that can have a role that only reads, with that role.
func (c Chain) Readers() Chain {
	var readers Chain
	for _, each := range c {
		if able, ok := each.(readable); ok {
			readers = append(readers, able.Reader())
		}
	}
	return readers
}

// Settles returns the longest time that any of them needs.
func (c Chain) Settles() time.Duration {
	var longest time.Duration
	for _, each := range c {
		longest = max(longest, each.Settles())
	}
	return longest
}

// Hint returns all hints.
func (c Chain) Hint() string {
	if len(c) == 1 {
		return c[0].Hint()
	}
	return c.join(" ", func(m Method) string { return m.Name() + ": " + m.Hint() })
}

// Flags returns the flags that choose these logins.
func (c Chain) Flags() string {
	if len(c) == 1 {
		return c[0].Flags()
	}
	return "--login=" + c.Name()
}

func (c Chain) join(separator string, text func(Method) string) string {
	parts := make([]string, len(c))
	for i, each := range c {
		parts[i] = text(each)
	}
	return strings.Join(parts, separator)
}

// way is one role to log in by.
type way struct {
	Method
	reads bool // it is the one that only reads
}

// lent reports whether somebody else keeps the token alive.
func (w way) lent() bool {
	able, ok := w.Method.(lender)
	return ok && able.Lends()
}

// own returns our own roles, in order.
func (c Chain) own() []way {
	ways := make([]way, len(c))
	for i, method := range c {
		ways[i] = way{method, false}
	}
	return ways
}

// ways returns the roles to log in by, in order: our own and, if readsOnly is set, before each of
// them the one that only reads.
func (c Chain) ways(readsOnly bool) []way {
	var ways []way
	for _, method := range c {
		if able, ok := method.(readable); ok && readsOnly {
			ways = append(ways, way{able.Reader(), true})
		}
		ways = append(ways, way{method, false})
	}
	return ways
}
