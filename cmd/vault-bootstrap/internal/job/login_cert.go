package job

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// trusted returns what Vault will trust for --login=cert: the CA and our common name, or our
// certificate itself.
func (o *LoginOptions) trusted() (certificate, commonName string, err error) {
	if o.clientCert == "" {
		return "", "", fault.Misuse(errors.New("--login=cert needs a client certificate"), "Give --client-cert and --client-key.")
	}
	own, err := os.ReadFile(o.clientCert)
	if err != nil {
		return "", "", fault.Misuse(fmt.Errorf("reading the client certificate: %w", err), "Give a PEM file with --client-cert.")
	}
	leaf, err := firstCertificate(own)
	if err != nil {
		return "", "", fault.Misuse(fmt.Errorf("reading the client certificate %q: %w", o.clientCert, err), "Give a PEM file with --client-cert.")
	}
	if o.CAFile == "" {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})), "", nil
	}
	authority, err := os.ReadFile(o.CAFile)
	if err == nil {
		_, err = firstCertificate(authority)
	}
	if err == nil && leaf.Subject.CommonName == "" {
		err = errors.New("the client certificate has no common name: every certificate of this CA could log in")
	}
	if err != nil {
		return "", "", fault.Misuse(fmt.Errorf("reading the file that --login-ca names: %w", err), "Give a PEM file with the CA that signed --client-cert.")
	}
	return string(authority), leaf.Subject.CommonName, nil
}

func firstCertificate(content []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it holds no PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}
