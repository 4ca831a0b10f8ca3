// Package httpstatus finds the status of a server's answer in an error. It must not know
// whose answer it is, nor what follows from a status: that differs between endpoints, and
// is for those who ask them.
package httpstatus

import "errors"

// Error is an error that is the answer of an HTTP server.
type Error interface {
	error
	// HTTPStatus returns the status code, such as 403.
	HTTPStatus() int
}

// Of returns the status of the first answer in err's chain, 0 if no server has answered.
func Of(err error) int {
	if answered, ok := errors.AsType[Error](err); ok {
		return answered.HTTPStatus()
	}
	return 0
}
