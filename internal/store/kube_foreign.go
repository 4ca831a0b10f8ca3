package store

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// ForeignSecret returns the data of a Secret that is not ours, in our namespace. Our
// Role does not grant it: a person who wants it read adds that rule for this name.
func (k *Kube) ForeignSecret(ctx context.Context, name string) (map[string][]byte, error) {
	var secret corev1.Secret
	err := k.client.secrets().get(ctx, k.namespace, name, &secret)
	switch {
	case err == nil:
		return secret.Data, nil
	case apierrors.IsNotFound(err):
		return nil, fault.Misuse(fmt.Errorf("there is no %s", k.describe("Secret", name)), "Check --keys-from-secret and --namespace.")
	case deniedByRBAC(err):
		rule := Rule{Resource: "secrets", Name: name, Verbs: []string{"get"}}
		return nil, fault.Misuse(fmt.Errorf("reading %s: %w", k.describe("Secret", name), err),
			fmt.Sprintf("For as long as it takes, add to the rules of a Role in the namespace %q that is bound to our service account:\n%s", k.namespace, rule.YAML()))
	default:
		return nil, k.explain(access{verb: "get", resource: "secrets", name: name}, err)
	}
}
