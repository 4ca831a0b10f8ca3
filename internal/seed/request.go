package seed

import (
	"context"
	"net/http"
	"strings"
)

// condition is what makes a request superfluous. The zero condition holds once the
// request was sent as it is now.
type condition struct {
	path, field string
	value       any
}

// sentField is the name under which it is remembered that a request was sent,
// rotatedField that a credential was rotated, and madeField that an object was made that
// cannot be read. No field of Vault is called so.
const (
	sentField    = "(sent)"
	rotatedField = "(rotated)"
	madeField    = "(made)"
)

// request returns the request name, which comes in its order.
func request(name, path string, deletes bool, data map[string]any, unless condition, order int) Object {
	return Object{
		ID: ID("request:" + name), Stage: StageRequests, Data: protect(data), endpoint: "request", order: order,
		how: traits{write: path, unless: &unless, deletes: deletes},
	}
}

// holds reports whether the condition of a request is found to hold in a namespace.
func holds(ctx context.Context, r reader, ns string, c condition) (bool, error) {
	answer, found, err := r.Read(ctx, ns+c.path)
	switch status(err) {
	case http.StatusBadRequest, http.StatusMethodNotAllowed: // Vault's way of saying 'not configured'
		return false, nil
	}
	if err != nil || !found || c.field == "" {
		return found, err
	}
	value := dig(answer, c.field)
	if c.value == nil {
		return !empty(value), nil
	}
	return value != nil && same(leaf(c.field), c.value, value), nil
}

// dig returns what is under a dotted name; a name with dots in it comes first.
func dig(fields map[string]any, name string) any {
	if value, there := fields[name]; there {
		return value
	}
	outer, inner, nested := strings.Cut(name, ".")
	deeper, isMap := fields[outer].(map[string]any)
	if !nested || !isMap {
		return nil
	}
	return dig(deeper, inner)
}
