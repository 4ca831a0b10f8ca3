package kube

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// RecordRefused is the name of the fault that the API server does not take an object
// as it is.
const RecordRefused = "record refused"

// Explain gives an error of the API server its kind and its remedy. All of them
// but a refused object may pass: permissions come back, servers restart. That a
// rule is missing from the start is for Missing to find.
func (n Namespace) Explain(a Access, err error) error {
	wrapped := fmt.Errorf("%s in the namespace %q: %w", a, n.Name, err)
	switch {
	case DeniedByRBAC(err):
		return fault.Wait(wrapped, n.GrantRemedy([]Access{a}))
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
		return fault.Wait(wrapped, fmt.Sprintf("Look whether the namespace exists: kubectl get namespace %s.", n.Name))
	case unreachable(err):
		return fault.Wait(wrapped, fmt.Sprintf("The Kubernetes API at %s does not answer. Look whether it runs, whether a network policy "+
			"lets us reach it, and whether the CA is its own.", n.Client.Host))
	default:
		return wrapped
	}
}

// DeniedByRBAC tells the authorizer's 403 from those of admission, which have
// other causes and remedies. The API has no field for it; these are words of the
// authorizer's text, as Kubernetes 1.36 has it ("cannot get resource …").
func DeniedByRBAC(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot ") && strings.Contains(err.Error(), " resource ")
}

func unreachable(err error) bool {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok
}

// Refused reports whether the API server understood the request and said no.
func Refused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsNotFound(err) ||
		apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)
}
