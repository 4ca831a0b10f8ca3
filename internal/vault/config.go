package vault

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// The timeouts of single requests.
const (
	// DefaultTimeout is for reads and writes, as in the vault CLI.
	DefaultTimeout = 60 * time.Second
	// statusTimeout is for sys/health and sys/seal-status, which answer at once.
	statusTimeout = 5 * time.Second
	// InitTimeout is for sys/init, which takes Vault up to 9 s on raft storage and more on a slow
	// disk; giving up early loses keys.
	InitTimeout = 5 * time.Minute
)

// Config says how to reach the servers. The fields mean what the VAULT_* variables
// of the vault CLI mean.
type Config struct {
	// Addresses are the replicas' URLs, one each. With Discovered there are none yet: Use sets
	// them.
	Addresses  []string
	Discovered bool
	// CACert is a PEM file, CACertBytes its content, CAPath a directory of PEM files.
	CACert, CACertBytes, CAPath string
	// ClientCert and ClientKey are PEM files.
	ClientCert, ClientKey string
	// TLSServerName is the name to verify instead of the address's host.
	TLSServerName string
	// SkipVerify turns verification of TLS off.
	SkipVerify bool
	// Namespace is the namespace of all sessions, without slashes at its ends; empty for the root
	// namespace. What a Replica asks is the server's own and has no namespace.
	Namespace string
	// Timeout is for one logical call; zero means DefaultTimeout.
	Timeout time.Duration
	// Wrap, if not nil, wraps the transport of every request.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Cluster is a set of replicas.
type Cluster struct {
	mu       sync.Mutex // over replicas
	replicas []*Replica
	config   Config
	guard    guard
}

// guard is asked before each request whether it may still be sent. A process that was suspended
// until its Lease expired wakes up in the middle of its work, and must not send another request.
type guard struct{ allows func() error }

func (g *guard) check() error {
	if g == nil || g.allows == nil {
		return nil
	}
	return g.allows()
}

// Guard makes every request from now on call allows first, and fail with its error.
func (c *Cluster) Guard(allows func() error) { c.guard.allows = allows }

// New checks the configuration and returns the cluster. It sends nothing.
func New(config Config) (*Cluster, error) {
	if len(config.Addresses) == 0 && !config.Discovered {
		return nil, fault.Misuse(errors.New("no Vault address is given"), "Give --vault-addr (repeat it for each replica) or set VAULT_ADDR.")
	}
	if config.Timeout == 0 {
		config.Timeout = DefaultTimeout
	}
	cluster := &Cluster{config: config}
	if _, err := cluster.Use(config.Addresses); err != nil {
		return nil, err
	}
	return cluster, nil
}

// Use makes the servers at addresses the replicas from now on, and returns them in that order.
// Replicas that were known before keep their connections.
func (c *Cluster) Use(addresses []string) ([]*Replica, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := map[string]*Replica{}
	for _, replica := range c.replicas {
		known[replica.address] = replica
	}
	seen := map[string]bool{}
	var replicas []*Replica
	for _, address := range addresses {
		address = strings.TrimSuffix(address, "/")
		if seen[address] {
			return nil, fault.Misuse(fmt.Errorf("the Vault address %q is given twice", address), "Give each replica once.")
		}
		seen[address] = true
		if known[address] == nil {
			client, transport, err := newClient(c.config, address)
			if err != nil {
				return nil, err
			}
			known[address] = &Replica{
				address: address, client: client, transport: transport, guard: &c.guard,
				trust: trust{file: c.config.CACert, content: c.config.CACertBytes, name: c.config.TLSServerName},
			}
		}
		replicas = append(replicas, known[address])
	}
	c.replicas = replicas
	return slices.Clone(replicas), nil
}

// Replicas returns the replicas in the order given.
func (c *Cluster) Replicas() []*Replica {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.replicas)
}

// Replica returns the replica at address.
func (c *Cluster) Replica(address string) (*Replica, error) {
	for _, replica := range c.Replicas() {
		if replica.address == address {
			return replica, nil
		}
	}
	return nil, fmt.Errorf("no replica is at %q", address)
}

// newClient returns a client of the server at address, and the transport that it uses; nil for a
// socket.
func newClient(config Config, address string) (*api.Client, *renewable, error) {
	if err := checkAddress(address); err != nil {
		return nil, nil, fault.Misuse(err, "An address looks like https://vault-0.vault-internal:8200.")
	}
	settings, transport, err := newTransport(config)
	if err != nil {
		return nil, nil, err
	}
	settings.Address, settings.AgentAddress = address, ""
	settings.MaxRetries = 0 // each call here has a retry class of its own
	settings.Timeout = 0    // and a time-out of its own, on its context
	var renewed *renewable
	if !strings.HasPrefix(address, "unix:") { // for a socket the API sets up the transport itself, without TLS
		renewed = &renewable{}
		renewed.now.Store(transport)
		settings.HttpClient.Transport = renewed
		if config.Wrap != nil {
			settings.HttpClient.Transport = config.Wrap(renewed)
		}
	}
	client, err := api.NewClient(settings)
	if err != nil {
		return nil, nil, fault.Misuse(fmt.Errorf("configuring the client for %s: %w", address, err), "Check the address and the VAULT_* variables.")
	}
	// The API client reads VAULT_TOKEN: a person's token must not be used for our work.
	client.ClearToken()
	// Whatever the variables say, the server's own endpoints are in the root namespace only: OpenBao
	// 2.6 answers 400 'operation unavailable in namespaces' to sys/health in another one.
	client.ClearNamespace()
	return client, renewed, nil
}

func checkAddress(address string) error {
	parsed, err := url.Parse(address)
	switch {
	case err != nil:
		return fmt.Errorf("the Vault address is not a valid URL: %w", err)
	case parsed.Scheme == "unix":
		return nil
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		return fmt.Errorf("the Vault address %q does not begin with https:// or http://", address)
	case parsed.Host == "":
		return fmt.Errorf("the Vault address %q names no host", address)
	case parsed.User != nil:
		return errors.New("the Vault address contains a user name, which Vault does not use")
	case parsed.Path != "" && parsed.Path != "/":
		return fmt.Errorf("the Vault address %q contains a path: omit %q", address, parsed.Path)
	}
	return nil
}
