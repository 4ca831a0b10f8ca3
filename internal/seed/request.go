package seed

import (
	"context"
	"net/http"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
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
		ID: ID("request:" + name), Stage: StageRequests, Data: value.Protect(data), endpoint: "request", order: order,
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
	v := value.Dig(answer, c.field)
	if c.value == nil {
		return !value.IsEmpty(v), nil
	}
	return v != nil && value.Same(value.Leaf(c.field), c.value, v), nil
}
