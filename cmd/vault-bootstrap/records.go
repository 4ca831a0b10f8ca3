package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// lookup finds an environment variable, as os.LookupEnv does.
type lookup func(name string) (string, bool)

// storeOptions say where the records are.
type storeOptions struct {
	name, store, namespace, kubeconfig, context string
	// wrap, if not nil, sees every request to the Kubernetes API.
	wrap func(http.RoundTripper) http.RoundTripper
}

// storeKind is what --store names.
type storeKind int

const (
	kubernetesStore storeKind = iota
	fileStore
)

// resolve returns the kind of store and, for files, their directory.
func (o *storeOptions) resolve(env lookup) (storeKind, string, error) {
	_, inCluster := env("KUBERNETES_SERVICE_HOST")
	switch dir, isFile := strings.CutPrefix(o.store, "file:"); {
	case o.store == "kubernetes", o.store == "" && (inCluster || o.namesCluster()):
		return kubernetesStore, "", nil
	case o.store == "":
		dir, err := stateDirectory(env)
		return fileStore, dir, err
	case isFile && dir == "":
		return 0, "", fault.Misuse(errors.New("--store=file: names no directory"), "Write --store=file:DIR.")
	case isFile && o.namesCluster():
		return 0, "", fault.Misuse(errors.New("--store=file: and --kubeconfig, --context or --namespace exclude each other"), "Give one or the other.")
	case isFile:
		return fileStore, dir, nil
	default:
		return 0, "", fault.Misuse(fmt.Errorf("--store=%q is neither 'kubernetes' nor 'file:DIR'", o.store), "Write one of the two.")
	}
}

// namesCluster reports whether a flag says where in Kubernetes the records are.
func (o *storeOptions) namesCluster() bool {
	return o.kubeconfig != "" || o.context != "" || o.namespace != ""
}

// stateDirectory is where the XDG base directory specification puts state.
func stateDirectory(env lookup) (string, error) {
	if base, set := env("XDG_STATE_HOME"); set && filepath.IsAbs(base) {
		return filepath.Join(base, "vault-bootstrap"), nil
	}
	if home, set := env("HOME"); set && home != "" {
		return filepath.Join(home, ".local", "state", "vault-bootstrap"), nil
	}
	return "", fault.Misuse(errors.New("neither XDG_STATE_HOME nor HOME is set"), "Say where the records are with --store=file:DIR.")
}

// open opens the store that the options name.
func (o *storeOptions) open(env lookup) (store.Store, storeKind, error) {
	kind, dir, err := o.resolve(env)
	if err != nil {
		return nil, kind, err
	}
	if kind == fileStore {
		records, err := store.OpenFile(dir, o.name)
		return records, kind, err
	}
	config, namespace, err := o.cluster(env)
	if err != nil {
		return nil, kind, err
	}
	if o.wrap != nil {
		config.Wrap(o.wrap)
	}
	records, err := store.NewKube(config, namespace, o.name)
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
