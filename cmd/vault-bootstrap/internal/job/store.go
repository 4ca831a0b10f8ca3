package job

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/filestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
)

// What the store in Kubernetes can do beyond store.Store, as an interface where it is used. A store
// in files has neither pods nor objects beside it.
var (
	_ kube.Located     = (*kubestore.Store)(nil)
	_ workload.Located = (*kubestore.Store)(nil)
	_ objectReader     = (*kubestore.Store)(nil)
	_ podReader        = (*kubestore.Store)(nil)
)

// Lookup finds an environment variable, as os.LookupEnv does.
type Lookup func(name string) (string, bool)

// StoreOptions say where the records are.
type StoreOptions struct {
	// Policy says whether our policy grows with the seed: 'grow' or 'fixed'; empty for 'grow'.
	Policy                                      string
	Name, Store, Namespace, Kubeconfig, Context string
	// Keys says whose the keys of Vault are: StoredKeys or NoKeys.
	Keys string
	// Encrypt says to whom the keys record is encrypted.
	Encrypt RecipientOptions
	// Wrap, if not nil, sees every request to the Kubernetes API.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// StoreKind is what --store names.
type StoreKind int

// The kinds of stores.
const (
	KubernetesStore StoreKind = iota
	FileStore
)

// Resolve returns the kind of store and, for files, their directory.
func (o *StoreOptions) Resolve(env Lookup) (StoreKind, string, error) {
	_, inCluster := env("KUBERNETES_SERVICE_HOST")
	switch dir, isFile := strings.CutPrefix(o.Store, "file:"); {
	case o.Store == "kubernetes", o.Store == "" && (inCluster || o.namesCluster()):
		return KubernetesStore, "", nil
	case o.Store == "":
		dir, err := stateDirectory(env)
		return FileStore, dir, err
	case isFile && dir == "":
		return 0, "", fault.Misuse(errors.New("--store=file: names no directory"), "Write --store=file:DIR.")
	case isFile && o.namesCluster():
		return 0, "", fault.Misuse(errors.New("--store=file: and --kubeconfig, --context or --namespace exclude each other"), "Give one or the other.")
	case isFile:
		return FileStore, dir, nil
	default:
		return 0, "", fault.Misuse(fmt.Errorf("--store=%q is neither 'kubernetes' nor 'file:DIR'", o.Store), "Write one of the two.")
	}
}

// namesCluster reports whether a flag says where in Kubernetes the records are.
func (o *StoreOptions) namesCluster() bool {
	return o.Kubeconfig != "" || o.Context != "" || o.Namespace != ""
}

// stateDirectory is where the XDG base directory specification puts state.
func stateDirectory(env Lookup) (string, error) {
	if base, set := env("XDG_STATE_HOME"); set && filepath.IsAbs(base) {
		return filepath.Join(base, "vault-bootstrap"), nil
	}
	if home, set := env("HOME"); set && home != "" {
		return filepath.Join(home, ".local", "state", "vault-bootstrap"), nil
	}
	return "", fault.Misuse(errors.New("neither XDG_STATE_HOME nor HOME is set"), "Say where the records are with --store=file:DIR.")
}

// Open opens the store that the options name, with their recipients.
func (o *StoreOptions) Open(env Lookup) (store.Store, StoreKind, error) {
	records, kind, err := o.open(env)
	if err != nil {
		return nil, kind, err
	}
	return records, kind, o.encryptTo(env, records)
}

func (o *StoreOptions) open(env Lookup) (store.Store, StoreKind, error) {
	if err := o.CheckKeys(); err != nil {
		return nil, 0, err
	}
	kind, dir, err := o.Resolve(env)
	if err != nil {
		return nil, kind, err
	}
	switch kind {
	case FileStore:
		records, err := filestore.Open(dir, o.Name)
		return records, kind, err
	case KubernetesStore:
	default:
		return nil, kind, fmt.Errorf("opening the records: no store of kind %d is known", kind)
	}
	config, namespace, err := o.cluster(env)
	if err != nil {
		return nil, kind, err
	}
	if o.Wrap != nil {
		config.Wrap(o.Wrap)
	}
	open := kubestore.New
	if o.Keyless() {
		open = kubestore.NewWithoutKeys
	}
	records, err := open(config, namespace, o.Name)
	return records, kind, err
}

// SettleTime is how long a refusal by the store may come from an API server that has just started,
// or does not know a new rule yet.
const SettleTime = 5 * time.Second

// podNamespace is where the kubelet puts the pod's namespace.
const podNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// cluster returns how to reach the Kubernetes API, and the namespace of the records.
func (o *StoreOptions) cluster(env Lookup) (*rest.Config, string, error) {
	namespace := o.Namespace
	if _, inCluster := env("KUBERNETES_SERVICE_HOST"); inCluster && o.Kubeconfig == "" && o.Context == "" {
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
	rules.ExplicitPath = o.Kubeconfig
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.Context})
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

// Identity names this process in the Lease.
func Identity(env Lookup) string {
	name, _ := env("POD_NAME")
	if name == "" {
		name, _ = os.Hostname()
	}
	uid, _ := env("POD_UID")
	return store.Identity(name, uid)
}
