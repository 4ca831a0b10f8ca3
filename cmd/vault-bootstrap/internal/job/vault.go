package job

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// VaultOptions say how to reach Vault.
type VaultOptions struct {
	Addresses                                      []string
	CACert, CAPath, ClientCert, ClientKey, TLSName string
	SkipVerify, RequireTLS                         bool
	Namespace                                      string
	Discovery                                      DiscoveryOptions
	// Wrap, if not nil, sees every request to Vault.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Named reports whether anything says where Vault is.
func (o *VaultOptions) Named(env Lookup) bool {
	address, _ := env("VAULT_ADDR")
	return len(o.Addresses) > 0 || o.Discovery.Service != "" || address != ""
}

// defaultAddress is Vault's own default.
const defaultAddress = "https://127.0.0.1:8200"

// Config joins the flags with the variables of the vault CLI; a flag wins.
func (o *VaultOptions) Config(env Lookup) (vault.Config, error) {
	or := func(flag, variable string) string {
		if flag != "" {
			return flag
		}
		value, _ := env(variable)
		return value
	}
	if o.ClientCert != "" || o.ClientKey != "" { // a pair: the other half may be in a variable
		o.ClientCert, o.ClientKey = or(o.ClientCert, "VAULT_CLIENT_CERT"), or(o.ClientKey, "VAULT_CLIENT_KEY")
	}
	config := vault.Config{
		Addresses:     o.Addresses,
		CACert:        or(o.CACert, "VAULT_CACERT"),
		CACertBytes:   or("", "VAULT_CACERT_BYTES"),
		CAPath:        or(o.CAPath, "VAULT_CAPATH"),
		ClientCert:    or(o.ClientCert, "VAULT_CLIENT_CERT"),
		ClientKey:     or(o.ClientKey, "VAULT_CLIENT_KEY"),
		TLSServerName: or(o.TLSName, "VAULT_TLS_SERVER_NAME"),
		SkipVerify:    o.SkipVerify,
		Namespace:     o.SeedNamespace(env),
		Wrap:          o.Wrap,
	}
	if len(config.Addresses) == 0 {
		config.Addresses = []string{or("", "VAULT_ADDR")}
		if config.Addresses[0] == "" {
			config.Addresses[0] = defaultAddress
		}
	}
	if text, set := env("VAULT_SKIP_VERIFY"); set && text != "" && !o.SkipVerify {
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

// SeedNamespace returns the namespace of the seed and of our login, without slashes at its ends;
// empty for the root namespace, which both products also call root.
func (o *VaultOptions) SeedNamespace(env Lookup) string {
	namespace := o.Namespace
	if namespace == "" {
		namespace, _ = env("VAULT_NAMESPACE")
	}
	if namespace = strings.Trim(namespace, "/"); namespace == "root" {
		return ""
	}
	return namespace
}

// Variables returns the settings of flags, TLS and the namespace, by the variables of the vault CLI
// that they override.
func (o *VaultOptions) Variables() map[string]string {
	set := map[string]string{
		"VAULT_CACERT": o.CACert, "VAULT_CAPATH": o.CAPath, "VAULT_CLIENT_CERT": o.ClientCert, "VAULT_CLIENT_KEY": o.ClientKey,
		"VAULT_TLS_SERVER_NAME": o.TLSName, "VAULT_NAMESPACE": o.Namespace,
	}
	if o.SkipVerify {
		set["VAULT_SKIP_VERIFY"] = "true"
	}
	maps.DeleteFunc(set, func(_, value string) bool { return value == "" })
	return set
}

// certificate returns the client certificate's file, if there is one.
func (o *VaultOptions) certificate(env Lookup) string {
	if o.ClientCert != "" {
		return o.ClientCert
	}
	value, _ := env("VAULT_CLIENT_CERT")
	return value
}

// clientTimeout reads VAULT_CLIENT_TIMEOUT: seconds, or a duration with a unit.
func clientTimeout(env Lookup) (time.Duration, error) {
	text, set := env("VAULT_CLIENT_TIMEOUT")
	if !set || text == "" {
		return 0, nil
	}
	if seconds, err := strconv.Atoi(text); err == nil {
		text = fmt.Sprintf("%ds", seconds)
	}
	timeout, err := time.ParseDuration(text)
	if err != nil || timeout <= 0 {
		return 0, fault.Misuse(fmt.Errorf("the variable VAULT_CLIENT_TIMEOUT is not a positive duration: %q", text), "Write it as 60 or as 60s.")
	}
	return timeout, nil
}
