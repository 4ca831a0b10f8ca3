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
	split   splitOptions
	lease   leaseOptions
	log     logOptions

	seed              []string
	until             string
	timeout, patience time.Duration
	parallelism       int
}

// splitOptions say into how many shares a new key is split.
type splitOptions struct {
	shares, threshold                 int
	recoveryShares, recoveryThreshold int
}

// leaseOptions are the times of the Lease.
type leaseOptions struct {
	duration, renew, retry time.Duration
}

// logOptions say what the log looks like.
type logOptions struct {
	format, level string
}

// check refuses what cannot work before anything is touched.
func (o *runOptions) check() error {
	for _, split := range []struct {
		kind              string
		shares, threshold int
	}{{"key", o.split.shares, o.split.threshold}, {"recovery", o.split.recoveryShares, o.split.recoveryThreshold}} {
		if err := checkSplit(split.kind, split.shares, split.threshold); err != nil {
			return err
		}
	}
	switch {
	case o.parallelism < 1:
		return fault.Misuse(fmt.Errorf("--parallelism=%d is less than 1", o.parallelism), "One call at a time is the least.")
	case o.timeout <= 0:
		return fault.Misuse(fmt.Errorf("--timeout=%s is no time", o.timeout), "Write it as 10m or 90s.")
	case o.log.format != "auto" && o.log.format != "json" && o.log.format != "terminal":
		return fault.Misuse(fmt.Errorf("--log-format=%q is none of auto, json and terminal", o.log.format), "Write one of the three.")
	}
	times := store.LeaseOptions{Holder: "x", Duration: o.lease.duration, RenewDeadline: o.lease.renew, RetryPeriod: o.lease.retry}
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
