package vault

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

func TestMayPass(t *testing.T) {
	said := func(status int, words ...string) error {
		return fmt.Errorf("doing: %w", &Answer{Method: "GET", Path: "x", Status: status, Messages: words})
	}
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"network", errors.New("connection refused"), true},
		{"cancelled", context.Canceled, false},
		{"timed out", context.DeadlineExceeded, false},
		{"bad request", said(400), false},
		{"forbidden", said(403), false},
		{"missing required state", said(412), true},
		{"too many requests", said(429), true},
		{"server error", said(500, "1 error occurred: disk"), false},
		{"election", said(500, "local node not active but active cluster node not found"), true},
		{"quota changed", said(500, "store is stopped"), true},
		{"gateway", said(502), true},
		{"sealed", said(503, "Vault is sealed"), true},
		{"gateway timeout", said(504), true},
		{"unknown authority", x509.UnknownAuthorityError{}, false},
		{"other host", x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}, false},
		{"https to plain HTTP", http.ErrSchemeMismatch, false},
		{"expired", x509.CertificateInvalidError{Reason: x509.Expired}, true},
	} {
		if got := retryable(test.err); got != test.want {
			t.Errorf("%s: retryable = %v", test.name, got)
		}
	}
}

func TestSimplify(t *testing.T) {
	err := simplify(fmt.Errorf("x: %w", &api.ResponseError{
		HTTPMethod: "PUT", URL: "https://127.0.0.1:8200/v1/sys/mounts/kv", StatusCode: 400,
		Errors: []string{"1 error occurred:\n\t* path is already initialized at kv/\n\n"},
	}))
	if got, want := err.Error(), "PUT sys/mounts/kv: 400: 1 error occurred: * path is already initialized at kv/"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if httpstatus.Of(err) != 400 || !Says(err, product.AlreadyInitialized) || Says(err, product.TokenMissing) {
		t.Error("status or words are lost")
	}
	long := &api.ResponseError{StatusCode: 502, RawError: true, Errors: []string{strings.Repeat("<html> ", 1000)}}
	if got := simplify(long).Error(); len(got) > 700 {
		t.Errorf("a proxy's page of %d bytes stays", len(got))
	}
	plain := errors.New("plain")
	if got := simplify(plain); !errors.Is(got, plain) {
		t.Errorf("got %v", got)
	}
}

func TestCheckAddress(t *testing.T) {
	for address, want := range map[string]string{
		"https://vault-0:8200":   "",
		"http://127.0.0.1:8200/": "",
		"unix:///run/vault.sock": "",
		"vault-0:8200":           "does not begin with",
		"https://":               "names no host",
		"https://u:p@vault:8200": "user name",
		"https://vault:8200/v1":  "contains a path",
		"https://vault:82 00":    "not a valid URL",
		"tcp://vault:8200":       "does not begin with",
	} {
		err := checkAddress(address)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("checkAddress(%q) = %v, want %q", address, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestNewRefusesBadConfiguration(t *testing.T) {
	for name, config := range map[string]Config{
		"no address":    {},
		"twice":         {Addresses: []string{"https://a:1", "https://a:1"}},
		"twice, slash":  {Addresses: []string{"https://a:1", "https://a:1/"}},
		"no CA file":    {Addresses: []string{"https://a:1"}, CACert: "/does/not/exist"},
		"half a client": {Addresses: []string{"https://a:1"}, ClientCert: "x"},
		"CA is no PEM":  {Addresses: []string{"https://a:1"}, CACertBytes: "x"},
	} {
		if _, err := New(config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
