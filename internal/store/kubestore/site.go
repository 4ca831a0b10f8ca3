package kubestore

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// The data keys of the records in their Secrets.
const (
	keysData  = "keys.json"
	stateData = "state.json"
)

// site is where the records are: the names of our objects, and what was last seen of them.
type site struct {
	in   kube.Namespace
	name string
	seen *seenObjects
}

func (s site) keysName() string  { return s.name + "-keys" }
func (s site) stateName() string { return s.name + "-state" }

func (s site) keysObject() wire.Object {
	return wire.Object{
		Name: s.in.Describe("Secret", s.keysName()) + " (" + keysData + ")",
		// Not apply: it would copy the keys into an annotation.
		Restore: "kubectl -n " + s.in.Name + " replace -f BACKUP",
	}
}

func (s site) stateObject() wire.Object {
	return wire.Object{
		Name:    s.in.Describe("Secret", s.stateName()) + " (" + stateData + ")",
		Restore: "kubectl -n " + s.in.Name + " replace -f BACKUP",
		Rebuilt: fmt.Sprintf("Without a copy, save it and remove it (kubectl -n %s delete secret %s) and run again: "+
			"the state is determined again from Vault, but it is no longer known which objects of the seed were created by us.",
			s.in.Name, s.stateName()),
	}
}

// emptySecret is applied to create a Secret: an object without data, so that applying it to an
// existing one removes nothing.
func (s site) emptySecret(name string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: s.meta(name),
		Type:       corev1.SecretTypeOpaque,
	}
}

func (s site) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.in.Name, Name: name, Labels: labels()}
}

func labels() map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":       "vault-bootstrap",
		"app.kubernetes.io/managed-by": "vault-bootstrap",
	}
}

func (s site) fullRemedy() string {
	return wire.FullRemedy(fmt.Sprintf("kubectl -n %s get secret %s -o yaml > FILE", s.in.Name, s.keysName()),
		fmt.Sprintf("kubectl -n %s delete secret %s", s.in.Name, s.keysName()))
}
