package seed

import "github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"

// valueFrom reads a reference written as Kubernetes writes it in a container's env.
func (c clerk) valueFrom(e entry) (any, bool) {
	r := c.record(e.value, []key{
		{name: value.CallSecret, kind: one, fields: referenceKeys()},
		{name: value.CallConfigMap, kind: one, fields: referenceKeys()},
	}, false)
	if len(r.values) != 1 {
		c.problems.Add(e.at, "valueFrom takes one of %s and %s", value.CallSecret, value.CallConfigMap)
		return nil, false
	}
	for call := range r.values {
		if ref := r.inner(call); ref.text("name") != "" && ref.text("key") != "" {
			return value.Reference(call, e.at, ref.text("name"), ref.text("key")), true
		}
	}
	return nil, false
}
