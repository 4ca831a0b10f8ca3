package object

import "github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"

// Condition is what makes a request superfluous. The zero condition holds once the
// request was sent as it is now.
type Condition struct {
	Path, Field string
	Value       any
}

// Request returns the request name, which comes in its order.
func Request(name, path string, deletes bool, data map[string]any, unless Condition, order int) Object {
	return Object{
		ID: ID("request:" + name), Stage: StageRequests, Data: value.Protect(data), Endpoint: "request", Order: order,
		Traits: Traits{Write: path, Unless: &unless, Deletes: deletes},
	}
}
