package main

import (
	"crypto/x509"
	"os"
	"runtime"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// systemRoots are the files in which crypto/x509 of Go 1.26 looks for CA certificates on systems
// that have no verifier of their own.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem", "/usr/local/etc/ssl/cert.pem", "/etc/openssl/certs/ca-certificates.crt",
}

// trustFallbackRoots trusts Mozilla's CAs if the system has none, as in our own image. Parsing them
// takes a sixth of the time to the first request, so this is done only if necessary. It must be
// called before the first connection.
//
// named is whether the environment names files with CAs, as SSL_CERT_FILE does.
func trustFallbackRoots(named bool) {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" || named {
		return
	}
	for _, file := range systemRoots {
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			return
		}
	}
	x509.SetFallbackRoots(mozillaRoots())
}

func mozillaRoots() *x509.CertPool {
	roots := x509.NewCertPool()
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			continue // one fewer is trusted
		}
		if root.Constraint == nil {
			roots.AddCert(certificate)
		} else {
			roots.AddCertWithConstraint(certificate, root.Constraint)
		}
	}
	return roots
}
