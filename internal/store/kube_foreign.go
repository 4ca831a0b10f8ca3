package store

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// ForeignSecret returns the data of a Secret that is not ours, in our namespace. Our
// Role does not grant it: a person who wants it read adds that rule for this name.
func (k *Kube) ForeignSecret(ctx context.Context, name string) (map[string][]byte, error) {
	var secret corev1.Secret
	err := k.in.Secrets().Get(ctx, name, &secret)
	switch {
	case err == nil:
		return secret.Data, nil
	case apierrors.IsNotFound(err):
		return nil, fault.Misuse(fmt.Errorf("there is no %s", k.in.Describe("Secret", name)), "Check --keys-from-secret and --namespace.")
	case kube.DeniedByRBAC(err):
		rule := kube.Rule{Resource: "secrets", Name: name, Verbs: []string{"get"}}
		return nil, fault.Misuse(fmt.Errorf("reading %s: %w", k.in.Describe("Secret", name), err),
			fmt.Sprintf("For as long as it takes, add to the rules of a Role in the namespace %q that is bound to our service account:\n%s", k.in.Name, rule.YAML()))
	default:
		return nil, k.explain(kube.Access{Verb: "get", Resource: "secrets", Name: name}, err)
	}
}
