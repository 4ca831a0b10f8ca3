package testbed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// CA is a certificate authority of one bed. A second one makes certificates that
// the first one's clients refuse.
type CA struct {
	// CertFile is the authority's certificate, PEM.
	CertFile string

	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// CertRequest says what a certificate is for. The zero value of everything but
// Name is a server certificate for loopback, valid from an hour ago for a day.
type CertRequest struct {
	// Name is the common name, and the stem of the files: Name.crt, Name.key.
	Name string
	// Organizations are what Kubernetes takes as a client's groups.
	Organizations []string
	// Names and IPs are added to localhost and 127.0.0.1.
	Names []string
	IPs   []net.IP
	// NotBefore and NotAfter may lie in the past, for a certificate that expired.
	NotBefore, NotAfter time.Time
	// Bare leaves out localhost and 127.0.0.1, for a certificate with the wrong name.
	Bare bool
}

// Certificate is a certificate with its key, as files and parsed. It serves as
// server and as client certificate.
type Certificate struct {
	CertFile, KeyFile string
	X509              *x509.Certificate
}

// NewCA makes an authority that keeps its files in dir.
func NewCA(dir, name string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the CA %q: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-365 * 24 * time.Hour),
		NotAfter:              time.Now().Add(365 * 24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("making the CA %q: %w", name, err)
	}
	ca := &CA{CertFile: filepath.Join(dir, name+".crt"), dir: dir, key: key}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("making the CA %q: %w", name, err)
	}
	if err := writePEM(ca.CertFile, "CERTIFICATE", der); err != nil {
		return nil, fmt.Errorf("making the CA %q: %w", name, err)
	}
	return ca, nil
}

// Pool returns a pool that trusts this authority only.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// Issue makes a key and a certificate for it.
func (ca *CA) Issue(req CertRequest) (*Certificate, error) {
	c, err := ca.issue(req)
	if err != nil {
		return nil, fmt.Errorf("issuing a certificate for %q: %w", req.Name, err)
	}
	return c, nil
}

func (ca *CA) issue(req CertRequest) (*Certificate, error) {
	if req.NotBefore.IsZero() {
		req.NotBefore = time.Now().Add(-time.Hour)
	}
	if req.NotAfter.IsZero() {
		req.NotAfter = time.Now().Add(24 * time.Hour)
	}
	if !req.Bare {
		req.Names = append([]string{"localhost"}, req.Names...)
		req.IPs = append([]net.IP{net.IPv4(127, 0, 0, 1)}, req.IPs...)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: req.Name, Organization: req.Organizations},
		NotBefore:    req.NotBefore,
		NotAfter:     req.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     req.Names,
		IPAddresses:  req.IPs,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	c := &Certificate{
		CertFile: filepath.Join(ca.dir, req.Name+".crt"),
		KeyFile:  filepath.Join(ca.dir, req.Name+".key"),
	}
	if c.X509, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	if err := writePEM(c.CertFile, "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return c, writeKey(c.KeyFile, key)
}

// writeKeyPair makes a key and writes both halves of it, PEM.
func writeKeyPair(privateFile, publicFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	if err := writePEM(publicFile, "PUBLIC KEY", der); err != nil {
		return err
	}
	return writeKey(privateFile, key)
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(file, "EC PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read does not fail since Go 1.24
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}
