package main

import (
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vault-bootstrap/vault-bootstrap/internal/events"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/filestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
)

// What the store in Kubernetes can do beyond store.Store, each where it is used. A store
// in files has neither pods nor objects beside it.
var (
	_ events.Records   = (*kubestore.Store)(nil)
	_ kube.Located     = (*kubestore.Store)(nil)
	_ workload.Located = (*kubestore.Store)(nil)
	_ checkpointFeed   = (*kubestore.Store)(nil)
	_ follower         = (*kubestore.Store)(nil)
	_ objectReader     = (*kubestore.Store)(nil)
	_ podReader        = (*kubestore.Store)(nil)
)

// open opens the store that the options name.
func (o *storeOptions) open(env lookup) (store.Store, storeKind, error) {
	kind, dir, err := o.resolve(env)
	if err != nil {
		return nil, kind, err
	}
	switch kind {
	case fileStore:
		records, err := filestore.Open(dir, o.name)
		return records, kind, err
	case kubernetesStore:
	default:
		return nil, kind, fmt.Errorf("opening the records: no store of kind %d is known", kind)
	}
	config, namespace, err := o.cluster(env)
	if err != nil {
		return nil, kind, err
	}
	if o.wrap != nil {
		config.Wrap(o.wrap)
	}
	records, err := kubestore.New(config, namespace, o.name)
	return records, kind, err
}

// podNamespace is where the kubelet puts the pod's namespace.
const podNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// cluster returns how to reach the Kubernetes API, and the namespace of the records.
func (o *storeOptions) cluster(env lookup) (*rest.Config, string, error) {
	namespace := o.namespace
	if _, inCluster := env("KUBERNETES_SERVICE_HOST"); inCluster && o.kubeconfig == "" && o.context == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, "", fault.Misuse(fmt.Errorf("reading the pod's service account: %w", err),
				"Mount the service account's token (automountServiceAccountToken, or a projected volume), or give --kubeconfig.")
		}
		if namespace == "" {
			content, err := os.ReadFile(podNamespace)
			if err != nil {
				return nil, "", fault.Misuse(fmt.Errorf("reading the pod's namespace: %w", err), "Give --namespace.")
			}
			namespace = strings.TrimSpace(string(content))
		}
		return config, namespace, nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context})
	config, err := loaded.ClientConfig()
	if err != nil {
		return nil, "", fault.Misuse(fmt.Errorf("reading the kubeconfig: %w", err), "Give --kubeconfig, or --store=file:DIR to do without Kubernetes.")
	}
	if namespace == "" {
		if namespace, _, err = loaded.Namespace(); err != nil {
			return nil, "", fault.Misuse(fmt.Errorf("reading the kubeconfig's namespace: %w", err), "Give --namespace.")
		}
	}
	return config, namespace, nil
}

// identity names this process in the Lease.
func identity(env lookup) string {
	name, _ := env("POD_NAME")
	if name == "" {
		name, _ = os.Hostname()
	}
	uid, _ := env("POD_UID")
	return store.Identity(name, uid)
}
