package kube

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// RecordRefused is the name of the fault that the API server rejects an object as invalid.
const RecordRefused = "record refused"

// Explain gives an error of the API server its kind and its remedy. All of them except a rejected
// object may pass: permissions come back, servers restart. Rules that are missing from the start
// are found by Missing.
func (n Namespace) Explain(a Access, err error) error {
	wrapped := fmt.Errorf("%s in the namespace %q: %w", a, n.Name, err)
	switch {
	case DeniedByRBAC(err):
		return fault.Wait(wrapped, n.GrantRemedy([]Access{a}))
	case apierrors.IsForbidden(err):
		return fault.Wait(wrapped, "The cluster's admission (a quota, a policy, a namespace that is being deleted) refused the request: "+
			"the message says which. Change it there.")
	case apierrors.IsUnauthorized(err):
		return fault.Wait(wrapped, "The API server does not accept our credentials: check whether the service account still exists and "+
			"whether its token has expired.")
	case apierrors.IsInvalid(err), apierrors.IsRequestEntityTooLargeError(err):
		return fault.Stop(RecordRefused, wrapped, "The API server rejects the object: the message says why "+
			"(a Secret holds 1 MiB, one that is immutable cannot be changed).")
	case apierrors.IsNotFound(err):
		return fault.Wait(wrapped, fmt.Sprintf("Check whether the namespace exists: kubectl get namespace %s.", n.Name))
	case unreachable(err):
		return fault.Wait(wrapped, fmt.Sprintf("The Kubernetes API at %s does not answer. Check that it runs, that the network policies "+
			"let us reach it, and that the CA is the right one.", n.Client.Host))
	default:
		return wrapped
	}
}

// DeniedByRBAC distinguishes the authorizer's 403 from those of admission, which have other causes
// and remedies. The API has no field for it; the words are those of the authorizer's message, as of
// Kubernetes 1.36 ("cannot get resource …").
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

// Terminating reports whether the API server refused to create an object because its namespace is
// being deleted.
func Terminating(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// Immutable reports whether the API server refused to change an object because somebody has made it
// immutable. The API has no field for it; the words are those of its validation, as of Kubernetes
// 1.36 ("field is immutable when `immutable` is set").
func Immutable(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "immutable when `immutable` is set")
}

// TooLarge reports whether the API server refused an object for its size: its own
// validation ("may not be more than 1048576 bytes", as of Kubernetes 1.36), its limit
// on requests, or that of etcd.
func TooLarge(err error) bool {
	if apierrors.IsRequestEntityTooLargeError(err) {
		return true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return err != nil && strings.Contains(err.Error(), "request is too large")
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type == metav1.CauseType(field.ErrorTypeTooLong) {
			return true
		}
	}
	return strings.Contains(err.Error(), "request is too large")
}

// Refused reports whether the API server understood the request and refused it.
func Refused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsNotFound(err) ||
		apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)
}
