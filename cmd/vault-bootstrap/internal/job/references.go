package job

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/vault-bootstrap/vault-bootstrap/internal/cloud"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// credentialVariables are the environment variables that hold a credential of this program as text,
// and the login method that reads them; "" is for every run. All other variables that it reads name
// files, addresses and regions.
var credentialVariables = map[string]string{
	"VAULT_TOKEN":           "",
	"AWS_ACCESS_KEY_ID":     "aws",
	"AWS_SECRET_ACCESS_KEY": "aws",
	"AWS_SESSION_TOKEN":     "aws",
}

// serviceAccount is where the kubelet puts the pod's token for the Kubernetes API. The CA and the
// namespace beside it are not secret.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// credentials are the options that say where this program's own credentials are. A seed must not
// refer to any of them, or its author could have them written into Vault.
type credentials struct {
	store *StoreOptions
	vault *VaultOptions
	login *LoginOptions
	// spool is nil for the verbs that have none.
	spool *SpoolOptions
	// tokenFile is a file with a token for this run only.
	tokenFile string
	// declared is how the seed says that later runs log in.
	declared []seed.LoginMethod
}

// objectReader is a store that can also read the objects to which a seed can refer.
type objectReader interface {
	ForeignSecret(ctx context.Context, name string) (map[string][]byte, error)
	ForeignConfigMap(ctx context.Context, name string) (map[string][]byte, error)
}

// resolver resolves the references of a seed with what this process can read, except for its own
// credentials.
func resolver(env Lookup, records store.Store, own credentials) seed.Resolver {
	resolver := seed.Resolver{Env: env, Own: own.guard(env)}
	if kube, ok := records.(objectReader); ok {
		resolver.Secret, resolver.ConfigMap = kube.ForeignSecret, kube.ForeignConfigMap
	}
	return resolver
}

// guard returns a function that describes a reference to something of our own; "" for others.
func (o credentials) guard(env Lookup) func(kind seed.ReferenceKind, name string) string {
	secrets := regexp.MustCompile("^" + regexp.QuoteMeta(o.store.Name) + "-(keys|state|state-[ab][0-9]+)$")
	files := o.files(env)
	return func(kind seed.ReferenceKind, name string) string {
		switch method, credential := credentialVariables[name]; {
		case kind == seed.ReferenceEnv && credential && (method == "" || o.logsInBy(method)):
			return "a credential of this program"
		case kind == seed.ReferenceSecret && secrets.MatchString(name):
			return "a record of this program"
		case kind == seed.ReferenceFile:
			return files.holds(name)
		}
		return ""
	}
}

// logsInBy reports whether a login of this run is of the method.
func (o credentials) logsInBy(method string) bool {
	declared := func(each seed.LoginMethod) bool { return each.Method == method }
	return slices.Contains(o.login.Methods, method) || slices.ContainsFunc(o.declared, declared)
}

// ownFiles are the files that no seed may read.
type ownFiles struct {
	// account is the directory with the service account's token.
	account string
	// known describes files and directories, by path.
	known map[string]string
}

func (o credentials) files(env Lookup) ownFiles {
	variable := func(name string) string { value, _ := env(name); return value }
	files := ownFiles{account: serviceAccount, known: map[string]string{}}
	add := func(what string, paths ...string) {
		for _, path := range paths {
			if path != "" {
				files.known[path] = what
			}
		}
	}
	add("the key of this program's TLS certificate", o.vault.ClientKey, variable("VAULT_CLIENT_KEY"))
	add("a token that this program logs in with", DefaultTokenFile, o.login.TokenFile, o.tokenFile)
	add("the password that this program logs in with", o.login.PasswordFile)
	for _, each := range o.declared {
		add("a credential that this program logs in with", each.TokenFile, each.PasswordFile)
	}
	if o.logsInBy("aws") {
		add("a credential that this program logs in with", variable("AWS_WEB_IDENTITY_TOKEN_FILE"), variable("AWS_SHARED_CREDENTIALS_FILE"))
	}
	if o.logsInBy("azure") {
		add("a credential that this program logs in with", variable(cloud.AzureTokenFile))
	}
	add("an identity that opens the keys record", o.store.Encrypt.Identities...)
	add("a token that opens the keys record", o.store.Encrypt.TokenFile)
	add("the kubeconfig of this program", o.store.Kubeconfig)
	add("the kubeconfig of this program", filepath.SplitList(variable(clientcmd.RecommendedConfigPathEnvVar))...)
	if home := variable("HOME"); home != "" {
		add("the kubeconfig of this program", filepath.Join(home, clientcmd.RecommendedHomeDir, clientcmd.RecommendedFileName))
	}
	if kind, dir, err := o.store.Resolve(env); err == nil && kind == FileStore {
		add("in the directory of this program's records", dir)
	}
	spool := o.spool
	if spool == nil {
		spool = &SpoolOptions{}
	}
	add("in the spool of this program", spool.directory(env, o.store))
	add("the spool of this program", spool.Termination)
	return files
}

// holds describes the file if it is one of ours. Files are compared as the file system compares
// them, so links, mounts and letter case are no way around this.
func (f ownFiles) holds(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return "" // reading it fails, and reports why
	}
	if strings.HasPrefix(real, "/proc/") { // environments and memory, ours among them
		return "in the files of the kernel about processes"
	}
	if filepath.Base(real) == "token" && f.below(real, f.account) {
		return "the service account's token"
	}
	for own, what := range f.known {
		if f.below(real, own) {
			return what
		}
	}
	return ""
}

// below reports whether path is the file or directory own, or lies in it.
func (ownFiles) below(path, own string) bool {
	wanted, err := os.Stat(own)
	if err != nil {
		return false
	}
	for {
		if found, err := os.Stat(path); err == nil && os.SameFile(found, wanted) {
			return true
		}
		parent := filepath.Dir(path)
		if parent == path {
			return false
		}
		path = parent
	}
}
