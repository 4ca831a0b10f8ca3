package object

import "github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"

// Condition says when a request is not needed. The zero condition holds once the request was sent
// in its current form.
type Condition struct {
	Path, Field string
	Value       any
}

// Request returns the request name. order is its position among all requests.
func Request(name, path string, deletes bool, data map[string]any, unless Condition, order int) Object {
	return Object{
		ID: ID("request:" + name), Stage: StageRequests, Data: value.Protect(data), Endpoint: "request", Order: order,
		Traits: Traits{Write: path, Unless: &unless, Deletes: deletes},
	}
}
