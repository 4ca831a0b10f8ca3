package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

const (
	manifest    = "../../manifests/rbac.yaml"
	defaultName = "vault-bootstrap"
	// patience bounds every wait for something that must happen.
	patience = 90 * time.Second
)

// site is a namespace with the shipped service account, role and binding.
type site struct {
	namespace, name string
	role            *rbacv1.Role
	binding         *rbacv1.RoleBinding
	config          *rest.Config
}

// newSite makes a namespace with what the manifest ships, rendered for a store
// called name, after edit has changed the role.
func newSite(t *testing.T, name string, edit func(*rbacv1.Role)) *site {
	t.Helper()
	ctx := within(t)
	namespace, err := controlPlane.Client.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "store-"}}, metav1.CreateOptions{})
	check(t, err)
	s := &site{namespace: namespace.Name, name: name}
	content, err := os.ReadFile(manifest)
	check(t, err)
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(strings.ReplaceAll(string(content), defaultName, name))), 4096)
	var account corev1.ServiceAccount
	for _, into := range []any{&account, &s.role, &s.binding} {
		check(t, decoder.Decode(into))
	}
	if err := decoder.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		t.Fatalf("there is more in %s than the service account, the role and its binding", manifest)
	}
	if edit != nil {
		edit(s.role)
	}
	_, err = controlPlane.Client.CoreV1().ServiceAccounts(s.namespace).Create(ctx, &account, metav1.CreateOptions{})
	check(t, err)
	s.role, err = controlPlane.Client.RbacV1().Roles(s.namespace).Create(ctx, s.role, metav1.CreateOptions{})
	check(t, err)
	s.bind(t)
	token, err := controlPlane.ServiceAccountToken(ctx, s.namespace, account.Name, nil, time.Hour)
	check(t, err)
	s.config = controlPlane.TokenConfig(token)
	return s
}

// readySite is newSite with the role as shipped, once the authorizer knows it.
func readySite(t *testing.T) *site {
	t.Helper()
	s := newSite(t, defaultName, nil)
	s.ready(t)
	return s
}

// ready waits until the authorizer has seen the role.
func (s *site) ready(t *testing.T) {
	t.Helper()
	records := s.open(t)
	poll(t, "the preflight to pass", records.Preflight)
}

func (s *site) bind(t *testing.T) {
	t.Helper()
	_, err := controlPlane.Client.RbacV1().RoleBindings(s.namespace).Create(within(t), s.binding.DeepCopy(), metav1.CreateOptions{})
	check(t, err)
}

func (s *site) unbind(t *testing.T) {
	t.Helper()
	check(t, controlPlane.Client.RbacV1().RoleBindings(s.namespace).Delete(within(t), s.binding.Name, metav1.DeleteOptions{}))
}

// open returns a handle of the service account on the site's records.
func (s *site) open(t *testing.T) *kubestore.Store {
	t.Helper()
	return openWith(t, s.config, s)
}

func openWith(t *testing.T, config *rest.Config, s *site) *kubestore.Store {
	t.Helper()
	records, err := kubestore.New(config, s.namespace, s.name)
	check(t, err)
	return records
}

// network is the network between a client and the API server.
type network struct {
	cut atomic.Bool
	// refused counts the requests that were made while it was cut.
	refused atomic.Int64
}

// isNoticed waits until several requests have failed.
func (n *network) isNoticed(t *testing.T) {
	t.Helper()
	poll(t, "requests into the cut network", func(context.Context) error {
		if refused := n.refused.Load(); refused < 5 {
			return fmt.Errorf("%d so far", refused)
		}
		return nil
	})
}

// through returns a configuration whose requests fail while the network is cut.
func (n *network) through(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if n.cut.Load() {
				n.refused.Add(1)
				return nil, errors.New("the network is cut")
			}
			return next.RoundTrip(r)
		})
	})
	return config
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (s *site) secret(t *testing.T, name string) *corev1.Secret {
	t.Helper()
	secret, err := controlPlane.Client.CoreV1().Secrets(s.namespace).Get(within(t), name, metav1.GetOptions{})
	check(t, err)
	return secret
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func poll(t *testing.T, name string, try func(context.Context) error) {
	t.Helper()
	check(t, testbed.Poll(within(t), 50*time.Millisecond, name, try))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
