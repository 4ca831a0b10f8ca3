package testbed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// ServiceAccountIssuer is the issuer in the tokens of every control plane, and
// their default audience.
const ServiceAccountIssuer = "https://kubernetes.default.svc.cluster.local"

// ControlPlaneOptions says which control plane to start. The zero value is etcd,
// the API server and the controller manager, on loopback.
type ControlPlaneOptions struct {
	// Dir is the working directory; empty means a new temporary one, which Close
	// removes.
	Dir string
	// WithoutControllers leaves out the controller manager: nothing makes default
	// service accounts, cleans up after owners or runs Jobs, and it starts sooner.
	WithoutControllers bool
	// AdvertiseAddress is an address of this machine that pods can route to. With
	// it the API server listens on every interface, and the Service 'kubernetes'
	// leads to it; without it, loopback only and a Service without endpoints.
	AdvertiseAddress string
	// AuditBodies has the audit log show what is sent and answered, at the level RequestResponse.
	// It then is in the file AuditBodiesFile, which holds whatever the records hold.
	AuditBodies bool
	// APIServerArgs are added to the API server's arguments.
	APIServerArgs []string
}

// ControlPlane is what StartControlPlane started: RBAC decides, service account
// tokens can be requested and reviewed, and every request is in the audit log.
type ControlPlane struct {
	// Dir is the working directory, with the log of each server.
	Dir string
	// URL is the API server's address, https://127.0.0.1:PORT.
	URL string
	// CA issued the servers' certificates and those of clients; CAFile is its
	// certificate.
	CA     *CA
	CAFile string
	// AdminKubeconfig is a kubeconfig of a member of system:masters.
	AdminKubeconfig string
	// AuditLog has a JSON line for every request that the API server answered, at
	// level Metadata, unless bodies were asked for: who, what, when, the status.
	AuditLog string
	// ServiceAccountKeyFile is the public key of service account tokens, PEM.
	ServiceAccountKeyFile string
	// Client is a typed client with the administrator's rights.
	Client kubernetes.Interface

	options     ControlPlaneOptions
	remove      bool
	etcdURL     string
	tools       string // where the binaries are
	admin       *rest.Config
	ready       *http.Client
	etcd        *process
	apiServer   *process
	controllers *process // nil if left out
}

// StartControlPlane starts the servers, and returns when the API server says that
// it is ready and, with controllers, the default namespace has its service account
// and the CA's ConfigMap.
func StartControlPlane(ctx context.Context, o ControlPlaneOptions) (*ControlPlane, error) {
	c, err := newControlPlane(o)
	if err == nil {
		err = retryPorts(3, func(ports []*port) error { return c.start(ctx, ports) })
	}
	if err != nil {
		// The directory stays: its logs tell what happened.
		return nil, fmt.Errorf("starting a control plane: %w", err)
	}
	return c, nil
}

// newControlPlane makes what does not depend on ports.
func newControlPlane(o ControlPlaneOptions) (*ControlPlane, error) {
	tools, err := ToolsPath()
	if err != nil {
		return nil, err
	}
	dir, temporary, err := workDir(o.Dir, "kubernetes")
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{
		Dir:                   dir,
		AdminKubeconfig:       filepath.Join(dir, "admin.kubeconfig"),
		AuditLog:              filepath.Join(dir, "audit.log"),
		ServiceAccountKeyFile: filepath.Join(dir, "service-accounts.pub"),
		options:               o,
		remove:                temporary,
		tools:                 tools,
	}
	if c.CA, err = NewCA(dir, "ca"); err != nil {
		return nil, err
	}
	c.CAFile = c.CA.CertFile
	if err := writeKeyPair(c.serviceAccountSigningKey(), c.ServiceAccountKeyFile); err != nil {
		return nil, fmt.Errorf("making the service accounts' key: %w", err)
	}
	policy := auditPolicy
	if o.AuditBodies {
		c.AuditLog = filepath.Join(dir, AuditBodiesFile)
		policy = strings.Replace(policy, auditRest, auditBodies, 1)
	}
	if err := os.WriteFile(c.auditPolicy(), []byte(policy), 0o600); err != nil {
		return nil, err
	}
	c.ready = &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: c.CA.Pool()},
		DisableKeepAlives: true,
	}}
	return c, nil
}

// start starts everything on these ports, or leaves nothing behind.
func (c *ControlPlane) start(ctx context.Context, ports []*port) error {
	if err := c.configure(ports); err != nil {
		return err
	}
	err := c.startServers(ctx, ports)
	if err != nil {
		err = errors.Join(err, c.Stop())
	}
	return err
}

// configure makes certificates, the administrator's access and the processes.
func (c *ControlPlane) configure(ports []*port) error {
	client, peer, api := ports[0].number, ports[1].number, ports[2].number
	// An attempt on other ports may have left a member with another address.
	if err := os.RemoveAll(c.etcdData()); err != nil {
		return err
	}
	c.URL, c.etcdURL = "https://"+loopback(api), "http://"+loopback(client)
	var err error
	if c.etcd, err = c.newEtcd(client, peer); err != nil {
		return err
	}
	if c.apiServer, err = c.newAPIServer(api, client); err != nil {
		return err
	}
	if c.admin, err = c.clientCertificate("admin", "system:masters"); err != nil {
		return err
	}
	if err := c.writeKubeconfig(c.AdminKubeconfig, c.admin, ""); err != nil {
		return err
	}
	if c.Client, err = kubernetes.NewForConfig(c.AdminConfig()); err != nil {
		return err
	}
	if c.options.WithoutControllers {
		return nil
	}
	c.controllers, err = c.newControllerManager()
	return err
}

func (c *ControlPlane) startServers(ctx context.Context, ports []*port) error {
	ports[0].release()
	ports[1].release()
	if err := c.etcd.start(ctx, c.etcdAnswers); err != nil {
		return err
	}
	ports[2].release()
	if err := c.StartAPIServer(ctx); err != nil || c.controllers == nil {
		return err
	}
	// Its own health is of no interest: what it has done is.
	return c.controllers.start(ctx, c.namespaceReady)
}

// StartAPIServer starts the API server, after StopAPIServer on the same address,
// and returns when it says that it is ready. Starting one that runs is an error.
func (c *ControlPlane) StartAPIServer(ctx context.Context) error {
	return c.apiServer.start(ctx, func(ctx context.Context) error { return c.get(ctx, c.URL+"/readyz") })
}

// StopAPIServer takes the API server away: connections are cut, and new ones
// refused. etcd and the controllers keep running.
func (c *ControlPlane) StopAPIServer() error { return c.apiServer.stop() }

// AdminConfig returns a client's configuration with the administrator's rights and
// without a limit on requests.
func (c *ControlPlane) AdminConfig() *rest.Config { return rest.CopyConfig(c.admin) }

// PIDs are the IDs of the servers' processes that run.
func (c *ControlPlane) PIDs() []int {
	var pids []int
	for _, p := range c.processes() {
		if pid := p.pid(); pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Stop stops all servers. Logs, etcd's data and the audit log stay.
func (c *ControlPlane) Stop() error {
	var errs []error
	for _, p := range c.processes() {
		errs = append(errs, p.stop())
	}
	return errors.Join(errs...)
}

// processes are the servers, clients before those that they talk to, so that none
// waits for an answer while it is stopped.
func (c *ControlPlane) processes() []*process {
	var processes []*process
	for _, p := range []*process{c.controllers, c.apiServer, c.etcd} {
		if p != nil {
			processes = append(processes, p)
		}
	}
	return processes
}

// Close stops all servers, and removes the working directory if the bed made it.
func (c *ControlPlane) Close() error {
	err := c.Stop()
	if c.remove {
		err = errors.Join(err, os.RemoveAll(c.Dir))
	}
	return err
}

// get asks for a page, and takes everything but 200 for an error.
func (c *ControlPlane) get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return GiveUp(err)
	}
	resp, err := c.ready.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, body)
	}
	return nil
}

// namespaceReady says whether the default namespace is as pods expect it.
func (c *ControlPlane) namespaceReady(ctx context.Context) error {
	core := c.Client.CoreV1()
	if _, err := core.ServiceAccounts(corev1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{}); err != nil {
		return err
	}
	_, err := core.ConfigMaps(corev1.NamespaceDefault).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	return err
}

// clientCertificate makes access for a user with a certificate.
func (c *ControlPlane) clientCertificate(user string, groups ...string) (*rest.Config, error) {
	cert, err := c.CA.Issue(CertRequest{Name: user, Organizations: groups})
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: c.URL,
		TLSClientConfig: rest.TLSClientConfig{
			CAFile: c.CAFile, CertFile: cert.CertFile, KeyFile: cert.KeyFile,
		},
		QPS: -1, // no limit
	}, nil
}

// writeKubeconfig writes what cfg says as a kubeconfig, mode 0600.
func (c *ControlPlane) writeKubeconfig(file string, cfg *rest.Config, namespace string) error {
	return clientcmd.WriteToFile(kubeconfig(cfg, namespace), file)
}

// serverAddresses are what the API server is reached by.
func (c *ControlPlane) serverAddresses() (names []string, ips []net.IP) {
	names = []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	ips = []net.IP{net.ParseIP(serviceIP)}
	if ip := net.ParseIP(c.options.AdvertiseAddress); ip != nil {
		ips = append(ips, ip)
	}
	return names, ips
}
