package kubestore

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

// ForeignSecret returns the data of a Secret that is not ours, in our namespace. Our Role does not
// grant that: whoever wants it to be read adds a rule for this name.
func (k *Store) ForeignSecret(ctx context.Context, name string) (map[string][]byte, error) {
	var secret corev1.Secret
	err := k.in.Secrets().Get(ctx, name, &secret)
	return secret.Data, k.foreign("Secret", "secrets", name, err)
}

// ForeignConfigMap does for a ConfigMap what ForeignSecret does for a Secret.
func (k *Store) ForeignConfigMap(ctx context.Context, name string) (map[string][]byte, error) {
	var config corev1.ConfigMap
	err := k.in.ConfigMaps().Get(ctx, name, &config)
	data := map[string][]byte{}
	maps.Copy(data, config.BinaryData)
	for key, text := range config.Data {
		data[key] = []byte(text)
	}
	return data, k.foreign("ConfigMap", "configmaps", name, err)
}

// foreign explains why an object that is not ours could not be read.
func (k *Store) foreign(kind, resource, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return fault.Misuse(fmt.Errorf("there is no %s", k.in.Describe(kind, name)), "Check its name, and --namespace.")
	case kube.DeniedByRBAC(err):
		rule := kube.Rule{Resource: resource, Name: name, Verbs: []string{"get"}}
		return fault.Misuse(fmt.Errorf("reading %s: %w", k.in.Describe(kind, name), err),
			fmt.Sprintf("For as long as it is to be read, add to the rules of a Role in the namespace %q that is bound to our service account:\n%s", k.in.Name, rule.YAML()))
	default:
		return k.explain(kube.Access{Verb: "get", Resource: resource, Name: name}, err)
	}
}
