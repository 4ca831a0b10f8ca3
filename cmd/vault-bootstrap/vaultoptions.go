package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

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
