package testbed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// VaultNode is one server of a VaultCluster. Its address and its data outlive its
// process.
type VaultNode struct {
	// Name is the node's name, also as a raft peer: node-0, node-1, …
	Name string
	// Addr is the API's address: https://127.0.0.1:PORT, or http without TLS.
	Addr string
	// ClusterAddr is what the node's peers talk to.
	ClusterAddr string
	// Dir is the node's own directory, writable by it: a good place for an audit log.
	Dir string
	// ConfigFile and LogFile are the server's; the log is appended to over restarts.
	ConfigFile, LogFile string

	cert    *Certificate // nil without TLS
	cluster *VaultCluster
	api     *port
	peer    *port
	client  *http.Client
	process *process
}

func newVaultNode(c *VaultCluster, o VaultOptions, i int, api, peer *port) (*VaultNode, error) {
	name := fmt.Sprintf("node-%d", i)
	dir := filepath.Join(c.Dir, name)
	n := &VaultNode{
		Name:        name,
		Addr:        "http://" + loopback(api.number),
		ClusterAddr: "https://" + loopback(peer.number),
		Dir:         dir,
		ConfigFile:  filepath.Join(dir, "config.hcl"),
		LogFile:     filepath.Join(dir, "vault.log"),
		cluster:     c,
		api:         api,
		peer:        peer,
	}
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		return nil, err
	}
	var trust *tls.Config
	if o.TLS {
		n.Addr = "https://" + loopback(api.number)
		n.cert, trust = o.Certificate, pinned(o.Certificate)
	}
	if o.TLS && n.cert == nil {
		cert, err := c.CA.Issue(CertRequest{Name: name})
		if err != nil {
			return nil, err
		}
		n.cert, trust = cert, &tls.Config{RootCAs: c.CA.Pool()}
	}
	n.client = &http.Client{
		// Connections that a restart broke would only confuse who asks next.
		Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true},
		// A standby's redirect is an answer, not something to follow.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       2 * time.Minute,
	}
	n.process = &process{
		name:    "vault " + name,
		argv:    []string{c.Server.Binary, "server", "-config=" + n.ConfigFile, "-log-level=" + o.LogLevel},
		env:     append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, o.Env...),
		dir:     dir,
		logFile: n.LogFile,
	}
	return n, nil
}

// pinned trusts one certificate, whatever may be wrong with it.
func pinned(c *Certificate) *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{
		InsecureSkipVerify: true, // the check below is stricter
		VerifyConnection: func(s tls.ConnectionState) error {
			if !s.PeerCertificates[0].Equal(c.X509) {
				return errors.New("this is not the certificate that the bed gave the server")
			}
			return nil
		},
	}
}

// Start starts the server, and returns when its listener answers health requests
// with anything, its certificate verified. Starting one that runs is an error.
func (n *VaultNode) Start(ctx context.Context) error {
	n.api.release()
	n.peer.release()
	return n.process.start(ctx, n.answers)
}

// Stop sends SIGTERM, and SIGKILL if that does not help. Stopping a node that does
// not run is no error.
func (n *VaultNode) Stop() error { return n.process.stop() }

// Kill sends SIGKILL: Vault has no chance to step down or to flush.
func (n *VaultNode) Kill() error { return n.process.kill() }

// Restart stops the server if it runs, and starts it on the same address with the
// same data.
func (n *VaultNode) Restart(ctx context.Context) error {
	if err := n.Stop(); err != nil {
		return err
	}
	return n.Start(ctx)
}

// Alive says whether the server's process runs.
func (n *VaultNode) Alive() bool { return n.process.alive() }

// PID is the ID of the server's process, or 0 if it does not run.
func (n *VaultNode) PID() int { return n.process.pid() }

// answers asks for the health; every status counts as an answer.
func (n *VaultNode) answers(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.Addr+"/v1/sys/health", nil)
	if err != nil {
		return GiveUp(err)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}
