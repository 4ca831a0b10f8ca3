package kubestore

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// explain gives an error of the API server its kind and its remedy.
func (s site) explain(a kube.Access, err error) error {
	if apierrors.IsConflict(err) {
		return fmt.Errorf("%s in the namespace %q: %w: %w", a, s.in.Name, store.ErrConflict, err)
	}
	return s.in.Explain(a, err)
}

// Denied reports whether err says that a rule of a Role is missing.
func Denied(err error) bool { return kube.DeniedByRBAC(err) }
