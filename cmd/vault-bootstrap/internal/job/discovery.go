package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/discovery"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/workload"
	"github.com/vault-bootstrap/vault-bootstrap/states"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// DiscoveryOptions say how to find the replicas.
type DiscoveryOptions struct {
	Service, Selector, StatefulSet, Scheme string
	Replicas                               int
	// anyTarget is whether TLS verifies a fixed name, whatever the DNS answers.
	anyTarget bool
}

// Servers are the Vault servers of a run, and how to find them again.
type Servers struct {
	Cluster  *vault.Cluster
	config   vault.Config
	discover func(ctx context.Context) ([]cluster.Replica, int, error)
	expected int
	// counted is whether the number of replicas is found together with them.
	counted bool
	// unencrypted is the address of a service that is not https.
	unencrypted string
	// pods are the replicas' pods; nil outside Kubernetes.
	pods *workload.Pods
}

// Open prepares access to Vault. It sends nothing. pods is nil outside Kubernetes.
func (o *VaultOptions) Open(env Lookup, pods *workload.Pods) (*Servers, error) {
	config, err := o.Config(env)
	if err != nil {
		return nil, err
	}
	if err := o.Discovery.check(o.Addresses, config.Addresses); err != nil {
		return nil, err
	}
	found := &Servers{config: config, expected: o.Discovery.Replicas, pods: pods}
	o.Discovery.anyTarget = config.TLSServerName != ""
	look, err := o.Discovery.look(pods)
	if err != nil {
		return nil, err
	}
	if look == nil {
		if err := o.checkTLS(found); err != nil {
			return nil, err
		}
		found.Cluster, err = vault.New(config)
		return found, err
	}
	config.Addresses, config.Discovered = nil, true
	found.counted = o.Discovery.Selector != ""
	if o.Discovery.Scheme == "http" {
		found.unencrypted = "http://" + o.Discovery.Service + o.Discovery.Selector
	}
	if found.Cluster, err = vault.New(config); err != nil {
		return nil, err
	}
	found.discover = func(ctx context.Context) ([]cluster.Replica, int, error) {
		addresses, expected, err := look(ctx)
		if err != nil {
			return nil, 0, err
		}
		replicas, err := found.use(addresses)
		return replicas, expected, err
	}
	return found, o.checkTLS(found)
}

// look returns how to find the replicas' addresses, and how many are expected; nil if the addresses
// are given.
func (o *DiscoveryOptions) look(pods *workload.Pods) (func(ctx context.Context) ([]string, int, error), error) {
	switch {
	case o.Service != "":
		service, err := o.headless()
		return func(ctx context.Context) ([]string, int, error) {
			addresses, err := service.Addresses(ctx)
			return addresses, o.Replicas, err
		}, err
	case o.Selector == "":
		return nil, nil
	case pods == nil:
		return nil, fault.Misuse(errors.New("--vault-selector needs the records in Kubernetes"), "Choose them with --store=kubernetes, or name the replicas with --vault-addr or --vault-service.")
	}
	selection := workload.Selection{Pods: pods, Labels: o.Selector, Scheme: o.Scheme, Replicas: o.Replicas}
	return selection.Addresses, selection.Check()
}

// use replaces the replicas by the servers at addresses.
func (s *Servers) use(addresses []string) ([]cluster.Replica, error) {
	replicas, err := s.Cluster.Use(addresses)
	return listed(replicas), err
}

func listed(replicas []*vault.Replica) []cluster.Replica {
	var list []cluster.Replica
	for _, replica := range replicas {
		list = append(list, replica)
	}
	return list
}

// Members returns the replicas, or the way to find them.
func (s *Servers) Members() *cluster.Cluster {
	return &cluster.Cluster{Replicas: listed(s.Cluster.Replicas()), Discover: s.discover, Expected: s.expected}
}

// Sources returns the servers, with logins by methods and records that can be read.
func (s *Servers) Sources(setting *states.Setting, methods login.Chain, records store.Store, desired *states.Desired) states.Sources {
	members := s.Members()
	access := &login.Access{Dialer: s.Cluster, Methods: methods, Keyless: setting.Keyless, Clock: members.Clock, Log: setting.Log, Now: setting.Now}
	return states.Sources{Setting: setting, Cluster: members, Records: store.Reader{Store: records}, Access: access, Desired: desired}
}

// Administrator returns an Administrator of the servers with the records that it holds.
func (s *Servers) Administrator(records ceremony.Records, holder string, log *slog.Logger) *ceremony.Administrator {
	return &ceremony.Administrator{Cluster: s.Members(), Records: records, Dialer: s.Cluster, Holder: holder, Log: log, Now: time.Now}
}

// reached returns how the servers are reached, with an address that stands for those that are found
// later.
func (s *Servers) reached() vault.Config {
	config := s.config
	if s.discover != nil {
		config.Addresses = nil
	}
	if s.unencrypted != "" {
		config.Addresses = []string{s.unencrypted}
	}
	return config
}

// risks describes what in the connection to Vault lets others read the keys, or hides a replica.
func (s *Servers) risks() []string {
	found := tlsRisks(s.reached())
	if s.discover != nil && s.expected == 0 && !s.counted {
		found = append(found, "--replicas is not given: a replica that the DNS does not show yet is not waited for before initializing")
	}
	return found
}

// check refuses contradictory options. flags are the addresses of --vault-addr, addresses the ones
// that are used without --vault-service.
func (o *DiscoveryOptions) check(flags, addresses []string) error {
	switch {
	case o.Replicas < 0:
		return fault.Misuse(fmt.Errorf("--replicas must not be negative, got %d", o.Replicas), "Give the number of replicas to expect, or omit the flag.")
	case o.Service != "" && len(flags) > 0:
		return fault.Misuse(errors.New("--vault-service and --vault-addr exclude each other"), "Give one or the other.")
	case o.Selector != "" && (o.Service != "" || len(flags) > 0):
		return fault.Misuse(errors.New("--vault-selector excludes --vault-service and --vault-addr"), "Give one of the three.")
	case o.Service == "" && o.Selector == "" && o.Replicas > 0 && len(addresses) != o.Replicas:
		return fault.Misuse(fmt.Errorf("--replicas=%d, and the number of addresses is %d", o.Replicas, len(addresses)),
			"Give the address of each replica, or their headless Service with --vault-service.")
	case o.Scheme != "https" && o.Scheme != "http":
		return fault.Misuse(fmt.Errorf("--vault-scheme=%q is neither https nor http", o.Scheme), "Write one of the two.")
	case o.StatefulSet == "":
		return fault.Misuse(errors.New("--vault-statefulset is empty"), "It is the name of the StatefulSet, as kubectl shows it.")
	}
	return nil
}

// maxPort is TCP's.
const maxPort = 65535

// resolvConf is where the kubelet, and every Unix, puts the search domains.
const resolvConf = "/etc/resolv.conf"

// headless returns the service that the options name.
func (o *DiscoveryOptions) headless() (discovery.Service, error) {
	service := discovery.Service{
		Host: o.Service, Scheme: o.Scheme, StatefulSet: o.StatefulSet, Replicas: o.Replicas, Resolver: net.DefaultResolver,
		AnyTarget: o.anyTarget,
	}
	// Without such a file, the name is taken as it is written.
	if content, err := os.ReadFile(resolvConf); err == nil {
		service.Search = discovery.SearchDomains(string(content))
	}
	host, port, err := net.SplitHostPort(o.Service)
	if err != nil { // there is no port in it
		host, port = o.Service, "0"
	}
	service.Host = host
	service.Port, err = strconv.Atoi(port)
	// The name is checked as a part of its address.
	_, nameErr := vault.New(vault.Config{Addresses: []string{o.Scheme + "://" + host}})
	if err != nil || nameErr != nil || service.Port < 0 || service.Port > maxPort {
		return service, fault.Misuse(fmt.Errorf("--vault-service=%q is neither HOST nor HOST:PORT", o.Service), "It is a DNS name, as in vault-internal.vault.svc:8200.")
	}
	return service, nil
}

// UntrustedClock returns the time of the server at address, whoever that is: its certificate is not
// verified. It sends nothing but a question for the health.
func (s *Servers) UntrustedClock(ctx context.Context, address string) (time.Time, error) {
	config := s.config
	config.Addresses, config.Discovered, config.SkipVerify = []string{address}, false, true
	stranger, err := vault.New(config)
	if err != nil {
		return time.Time{}, err
	}
	health, err := stranger.Replicas()[0].Health(ctx)
	return health.ServerTime, err
}
