package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// storeOptions say where the records are.
type storeOptions struct {
	name, store, namespace, kubeconfig, context string
	// wrap, if not nil, sees every request to the Kubernetes API.
	wrap func(http.RoundTripper) http.RoundTripper
}

func (o *storeOptions) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.name, "name", "vault-bootstrap", "name of the records, of the policy and of the role that later runs log in with")
	flags.StringVar(&o.store, "store", "", "where the records are: 'kubernetes' or 'file:DIR' (default: kubernetes inside a cluster, as a plugin of kubectl, or with --kubeconfig, --context or --namespace, else file: in the user's state directory)")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "Kubernetes namespace of the records (default: the pod's, else the kubeconfig's)")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file (default: the pod's service account, else as kubectl)")
	flags.StringVar(&o.context, "context", "", "context of the kubeconfig (default: its current one)")
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

// vaultOptions say how to reach Vault.
type vaultOptions struct {
	addresses                                      []string
	caCert, caPath, clientCert, clientKey, tlsName string
	skipVerify, requireTLS                         bool
	namespace                                      string
	discovery                                      discoveryOptions
	// wrap, if not nil, sees every request to Vault.
	wrap func(http.RoundTripper) http.RoundTripper
}

func (o *vaultOptions) register(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.addresses, "vault-addr", nil, "URL of a Vault server; repeat it for each replica, lowest ordinal first (VAULT_ADDR)")
	flags.StringVar(&o.caCert, "ca-cert", "", "PEM file with the CA of Vault's certificate (VAULT_CACERT)")
	flags.StringVar(&o.caPath, "ca-path", "", "directory of PEM files with CAs (VAULT_CAPATH)")
	flags.StringVar(&o.clientCert, "client-cert", "", "PEM file with a client certificate (VAULT_CLIENT_CERT)")
	flags.StringVar(&o.clientKey, "client-key", "", "PEM file with the client certificate's key (VAULT_CLIENT_KEY)")
	flags.StringVar(&o.tlsName, "tls-server-name", "", "name to expect in Vault's certificate (VAULT_TLS_SERVER_NAME)")
	flags.BoolVar(&o.skipVerify, "tls-skip-verify", false, "do not verify Vault's certificate: whoever is in between reads the keys (VAULT_SKIP_VERIFY)")
	flags.BoolVar(&o.requireTLS, "require-tls", false, "refuse every address that is not https or on loopback, and --tls-skip-verify")
	flags.StringVar(&o.namespace, "vault-namespace", "", "Vault namespace of the seed, for servers that have them (VAULT_NAMESPACE)")
	o.discovery.register(flags)
}

// named reports whether anything says where Vault is.
func (o *vaultOptions) named(env lookup) bool {
	address, _ := env("VAULT_ADDR")
	return len(o.addresses) > 0 || o.discovery.service != "" || address != ""
}

// defaultAddress is Vault's own.
const defaultAddress = "https://127.0.0.1:8200"

// config joins the flags with the variables of the vault CLI; a flag wins.
func (o *vaultOptions) config(env lookup) (vault.Config, error) {
	or := func(flag, variable string) string {
		if flag != "" {
			return flag
		}
		value, _ := env(variable)
		return value
	}
	if o.clientCert != "" || o.clientKey != "" { // a pair: the other half may be in a variable
		o.clientCert, o.clientKey = or(o.clientCert, "VAULT_CLIENT_CERT"), or(o.clientKey, "VAULT_CLIENT_KEY")
	}
	config := vault.Config{
		Addresses:     o.addresses,
		CACert:        or(o.caCert, "VAULT_CACERT"),
		CACertBytes:   or("", "VAULT_CACERT_BYTES"),
		CAPath:        or(o.caPath, "VAULT_CAPATH"),
		ClientCert:    or(o.clientCert, "VAULT_CLIENT_CERT"),
		ClientKey:     or(o.clientKey, "VAULT_CLIENT_KEY"),
		TLSServerName: or(o.tlsName, "VAULT_TLS_SERVER_NAME"),
		SkipVerify:    o.skipVerify,
		Namespace:     or(o.namespace, "VAULT_NAMESPACE"),
		Wrap:          o.wrap,
	}
	if len(config.Addresses) == 0 {
		config.Addresses = []string{or("", "VAULT_ADDR")}
		if config.Addresses[0] == "" {
			config.Addresses[0] = defaultAddress
		}
	}
	if text, set := env("VAULT_SKIP_VERIFY"); set && text != "" && !o.skipVerify {
		skip, err := strconv.ParseBool(text)
		if err != nil {
			return vault.Config{}, fault.Misuse(errors.New("the variable VAULT_SKIP_VERIFY is neither true nor false"), "Write one of the two, or unset it.")
		}
		config.SkipVerify = skip
	}
	timeout, err := clientTimeout(env)
	config.Timeout = timeout
	return config, err
}

// tlsVariables returns what flags say about TLS, by the variables of the vault CLI that
// they overrule.
func (o *vaultOptions) tlsVariables() map[string]string {
	said := map[string]string{
		"VAULT_CACERT": o.caCert, "VAULT_CAPATH": o.caPath, "VAULT_CLIENT_CERT": o.clientCert, "VAULT_CLIENT_KEY": o.clientKey,
		"VAULT_TLS_SERVER_NAME": o.tlsName,
	}
	if o.skipVerify {
		said["VAULT_SKIP_VERIFY"] = "true"
	}
	maps.DeleteFunc(said, func(_, value string) bool { return value == "" })
	return said
}

// certificate returns the client certificate's file, if there is one.
func (o *vaultOptions) certificate(env lookup) string {
	if o.clientCert != "" {
		return o.clientCert
	}
	value, _ := env("VAULT_CLIENT_CERT")
	return value
}

// clientTimeout reads VAULT_CLIENT_TIMEOUT: seconds, or a duration with a unit.
func clientTimeout(env lookup) (time.Duration, error) {
	text, set := env("VAULT_CLIENT_TIMEOUT")
	if !set || text == "" {
		return 0, nil
	}
	if seconds, err := strconv.Atoi(text); err == nil {
		text = fmt.Sprintf("%ds", seconds)
	}
	timeout, err := time.ParseDuration(text)
	if err != nil || timeout <= 0 {
		return 0, fault.Misuse(fmt.Errorf("the variable VAULT_CLIENT_TIMEOUT is no time: %q", text), "Write it as 60 or as 60s.")
	}
	return timeout, nil
}

// runOptions are the flags of 'run'.
type runOptions struct {
	store   storeOptions
	vault   vaultOptions
	login   loginOptions
	spool   spoolOptions
	custody custodyOptions
	loss    lossOptions

	seed                                []string
	until                               string
	timeout                             time.Duration
	shares, threshold                   int
	recoveryShares, recoveryThreshold   int
	parallelism                         int
	leaseDuration, leaseRenew, leaseTry time.Duration
	patience                            time.Duration
	logFormat, logLevel                 string
}

func (o *runOptions) register(flags *pflag.FlagSet) {
	o.registerWalk(flags)
	o.registerInit(flags)
}

// registerInit registers what is only for initializing.
func (o *runOptions) registerInit(flags *pflag.FlagSet) {
	o.spool.register(flags)
	o.custody.register(flags)
	o.loss.registerReset(flags)
	flags.IntVar(&o.shares, "key-shares", 5, "number of unseal keys to split the root key into")
	flags.IntVar(&o.threshold, "key-threshold", 3, "number of unseal keys needed to unseal")
	flags.IntVar(&o.recoveryShares, "recovery-shares", 5, "number of recovery keys, with auto-unseal")
	flags.IntVar(&o.recoveryThreshold, "recovery-threshold", 3, "number of recovery keys needed, with auto-unseal")
}

// registerWalk registers what every walk to a state takes.
func (o *runOptions) registerWalk(flags *pflag.FlagSet) {
	o.store.register(flags)
	o.vault.register(flags)
	o.login.register(flags)
	o.loss.registerSeal(flags)
	flags.StringSliceVar(&o.seed, "seed", nil, "seed file or directory; may be repeated")
	flags.StringVar(&o.until, "until", "hardened", "state to stop at: initialized, unsealed, seeded or hardened")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait and retry in all")
	flags.IntVar(&o.parallelism, "parallelism", 16, "calls to Vault in flight")
	flags.DurationVar(&o.leaseDuration, "lease-duration", 15*time.Second, "how long others wait for a holder that does not renew")
	flags.DurationVar(&o.leaseRenew, "lease-renew-deadline", 10*time.Second, "how long the holder tries to renew")
	flags.DurationVar(&o.leaseTry, "lease-retry-period", 2*time.Second, "wait between tries to acquire or renew")
	flags.DurationVar(&o.patience, "replica-patience", 30*time.Second, "how long to wait, once the cluster is done, for replicas that are down")
	flags.StringVar(&o.logFormat, "log-format", "auto", "terminal, json, or auto: terminal on a terminal, else json")
	flags.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
}

// check refuses what cannot work before anything is touched.
func (o *runOptions) check() error {
	for _, split := range []struct {
		kind              string
		shares, threshold int
	}{{"key", o.shares, o.threshold}, {"recovery", o.recoveryShares, o.recoveryThreshold}} {
		if err := checkSplit(split.kind, split.shares, split.threshold); err != nil {
			return err
		}
	}
	switch {
	case o.parallelism < 1:
		return fault.Misuse(fmt.Errorf("--parallelism=%d is less than 1", o.parallelism), "One call at a time is the least.")
	case o.timeout <= 0:
		return fault.Misuse(fmt.Errorf("--timeout=%s is no time", o.timeout), "Write it as 10m or 90s.")
	case o.logFormat != "auto" && o.logFormat != "json" && o.logFormat != "terminal":
		return fault.Misuse(fmt.Errorf("--log-format=%q is none of auto, json and terminal", o.logFormat), "Write one of the three.")
	}
	times := store.LeaseOptions{Holder: "x", Duration: o.leaseDuration, RenewDeadline: o.leaseRenew, RetryPeriod: o.leaseTry}
	if err := times.Check(); err != nil {
		return fmt.Errorf("--lease-duration, --lease-renew-deadline and --lease-retry-period: %w", err)
	}
	return nil
}

// mostShares is Vault's own bound, from the field in which it does its arithmetic.
const mostShares = 255

func checkSplit(kind string, shares, threshold int) error {
	remedy := fmt.Sprintf("Vault wants 1 ≤ threshold ≤ shares ≤ %d, and a threshold above 1 when there is more than one share.", mostShares)
	if shares < 1 || shares > mostShares || threshold < 1 || threshold > shares || shares > 1 && threshold == 1 {
		return fault.Misuse(fmt.Errorf("--%s-shares=%d with --%s-threshold=%d is not possible", kind, shares, kind, threshold), remedy)
	}
	return nil
}
