package store

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// RecordRefused is the name of the fault that a record does not fit its Secret.
const RecordRefused = "record refused"

// access is one thing that a request needs to be allowed: a verb on a named object.
type access struct {
	verb, resource, name string
}

func (a access) String() string {
	if a.name == "" {
		return a.verb + " " + a.resource
	}
	return fmt.Sprintf("%s %s %q", a.verb, a.resource, a.name)
}

// explain gives an error of the API server its kind and its remedy. All of them
// but a refused record may pass: permissions come back, servers restart. That a
// rule is missing from the start is for Preflight to find.
func (k *Kube) explain(a access, err error) error {
	wrapped := fmt.Errorf("%s in the namespace %q: %w", a, k.namespace, err)
	switch {
	case apierrors.IsConflict(err):
		return fmt.Errorf("%s in the namespace %q: %w: %w", a, k.namespace, ErrConflict, err)
	case deniedByRBAC(err):
		return fault.Wait(wrapped, k.grantRemedy([]access{a}))
	case apierrors.IsForbidden(err):
		return fault.Wait(wrapped, "The cluster's admission (a quota, a policy, a namespace that is being deleted) refused the request: "+
			"the message says which. Change it there.")
	case apierrors.IsUnauthorized(err):
		return fault.Wait(wrapped, "The API server does not accept our credentials: look whether the service account still exists and "+
			"whether its token has expired.")
	case apierrors.IsInvalid(err), apierrors.IsRequestEntityTooLargeError(err):
		return fault.Stop(RecordRefused, wrapped, "The API server does not take the object as it is: the message says why "+
			"(a Secret holds 1 MiB, one that is immutable cannot be changed).")
	case apierrors.IsNotFound(err):
		return fault.Wait(wrapped, fmt.Sprintf("Look whether the namespace exists: kubectl get namespace %s.", k.namespace))
	case unreachable(err):
		return fault.Wait(wrapped, fmt.Sprintf("The Kubernetes API at %s does not answer. Look whether it runs, whether a network policy "+
			"lets us reach it, and whether the CA is its own.", k.host))
	default:
		return wrapped
	}
}

// deniedByRBAC tells the authorizer's 403 from those of admission, which have
// other causes and remedies. The API has no field for it; these are words of the
// authorizer's text, as Kubernetes 1.36 has it ("cannot get resource …").
func deniedByRBAC(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot ") && strings.Contains(err.Error(), " resource ")
}

func unreachable(err error) bool {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok
}

// isRefusal reports whether the API server understood the request and said no.
func isRefusal(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsNotFound(err) ||
		apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)
}
