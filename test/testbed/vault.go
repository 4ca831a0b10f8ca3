package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// VaultOptions says which Vault to start. The zero value is one server on file
// storage without TLS, the quickest there is.
type VaultOptions struct {
	// Dir is the working directory; empty means a new temporary one, which Close
	// removes.
	Dir string
	// Binary is the server program, Vault's or OpenBao's; empty means the one that the
	// suites run against, see LookServer.
	Binary string
	// Guarded leaves closed what the product closes by default, for tests of what its
	// users meet. Otherwise the bed opens it: OpenBao then makes audit devices by its API,
	// and takes key shares for generate-root and rekey without a token.
	Guarded bool
	// Nodes is how many servers; more than one needs raft. Zero means 1.
	Nodes int
	// Storage is "file", "raft", "inmem", or "shared": one directory for all nodes, with
	// raft for ha_storage only. Empty means file for one node and raft for more.
	Storage string
	// NoRetryJoin leaves out what has the servers find each other: the first one is
	// alone until somebody joins the others to it.
	NoRetryJoin bool
	// TLS has the servers listen with certificates of the bed's CA.
	TLS bool
	// Certificate replaces the nodes' own certificate, for those that a client must
	// refuse: expired, of another CA, for another name. It implies TLS. The bed
	// itself then trusts exactly this one.
	Certificate *Certificate
	// Seal and ExtraConfig are HCL for the top level of every node's configuration:
	// Seal a seal stanza, ExtraConfig anything else.
	Seal, ExtraConfig string
	// ListenerConfig is HCL for inside the listener stanza.
	ListenerConfig string
	// LogLevel is Vault's; empty means info.
	LogLevel string
	// Env is added to the servers' environment, which holds nothing else of ours:
	// VAULT_* variables of whoever runs the suites do not reach them.
	Env []string
}

// VaultCluster is what StartVault started.
type VaultCluster struct {
	// Dir is the working directory; each node has one below it.
	Dir string
	// Nodes are the servers, in the order in which they join.
	Nodes []*VaultNode
	// CA issued the nodes' certificates. It is made without TLS, too, since a seal
	// or a proxy may want it.
	CA *CA
	// CAFile is the CA's certificate, or empty without TLS.
	CAFile string
	// Server is the program that all nodes run.
	Server Server

	remove bool
}

// StartVault starts the servers and returns when each of them answers: nothing is
// initialized or unsealed.
func StartVault(ctx context.Context, o VaultOptions) (*VaultCluster, error) {
	server, err := o.complete(ctx)
	if err != nil {
		return nil, fmt.Errorf("starting vault: %w", err)
	}
	c := &VaultCluster{Dir: o.Dir, Server: server}
	if c.Dir, c.remove, err = workDir(o.Dir, "vault"); err != nil {
		return nil, fmt.Errorf("starting vault: %w", err)
	}
	if err = c.prepare(o); err == nil {
		err = retryPorts(2*o.Nodes, func(ports []*port) error { return c.startNodes(ctx, o, ports) })
	}
	if err != nil {
		// The directory stays: its logs tell what happened.
		return nil, err
	}
	return c, nil
}

// complete fills in defaults and refuses what contradicts itself.
func (o *VaultOptions) complete(ctx context.Context) (Server, error) {
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.Storage == "" {
		o.Storage = "file"
		if o.Nodes > 1 {
			o.Storage = "raft"
		}
	}
	if o.LogLevel == "" {
		o.LogLevel = "info"
	}
	o.TLS = o.TLS || o.Certificate != nil
	switch o.Storage {
	case "raft", "shared":
	case "file", "inmem":
		if o.Nodes > 1 {
			return Server{}, fmt.Errorf("storage %q serves one node, not %d", o.Storage, o.Nodes)
		}
	default:
		return Server{}, fmt.Errorf("unknown storage %q: file, raft, inmem and shared are known", o.Storage)
	}
	if o.Binary != "" {
		return ReadServer(ctx, o.Binary)
	}
	return LookServer()
}

// prepare makes what does not depend on ports.
func (c *VaultCluster) prepare(o VaultOptions) error {
	var err error
	if c.CA, err = NewCA(c.Dir, "ca"); err != nil {
		return err
	}
	if o.TLS {
		c.CAFile = c.CA.CertFile
	}
	return nil
}

// startNodes makes nodes for these ports, two for each, and starts them.
func (c *VaultCluster) startNodes(ctx context.Context, o VaultOptions, ports []*port) error {
	c.Nodes = nil
	for i := range o.Nodes {
		n, err := newVaultNode(c, o, i, ports[2*i], ports[2*i+1])
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, n)
	}
	for i, n := range c.Nodes {
		if err := n.writeConfig(o, c.others(i)); err != nil {
			return fmt.Errorf("configuring %s: %w", n.Name, err)
		}
	}
	err := c.each(func(n *VaultNode) error { return n.Start(ctx) })
	if err != nil {
		err = errors.Join(err, c.Stop())
	}
	return err
}

func (c *VaultCluster) others(i int) []*VaultNode {
	var others []*VaultNode
	for j, n := range c.Nodes {
		if j != i {
			others = append(others, n)
		}
	}
	return others
}

// each does something to all nodes at once.
func (c *VaultCluster) each(do func(*VaultNode) error) error {
	errs := make([]error, len(c.Nodes))
	var wg sync.WaitGroup
	for i, n := range c.Nodes {
		wg.Go(func() { errs[i] = do(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Stop stops every node. Their data stays, and Start of a node brings it back.
func (c *VaultCluster) Stop() error { return c.each((*VaultNode).Stop) }

// Close stops every node, and removes the working directory if the bed made it.
func (c *VaultCluster) Close() error {
	err := c.Stop()
	if c.remove {
		err = errors.Join(err, os.RemoveAll(c.Dir))
	}
	return err
}

// workDir returns an absolute directory to work in, and whether it was made for
// the occasion.
func workDir(dir, name string) (abs string, temporary bool, err error) {
	if dir == "" {
		dir, err = os.MkdirTemp("", "testbed-"+name+"-")
		return dir, true, err
	}
	if abs, err = filepath.Abs(dir); err != nil {
		return "", false, err
	}
	return abs, false, os.MkdirAll(abs, 0o700)
}
