package testbed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	serviceRange = "10.96.0.0/16"
	// serviceIP is the first of the range: Kubernetes gives it to its own Service.
	serviceIP = "10.96.0.1"
)

// controllersUser has, by Kubernetes' own bindings, what the controllers need.
const controllersUser = "system:kube-controller-manager"

// auditPolicy logs each request once, when it is answered. The servers' own traffic
// and questions for health would drown the rest.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "` + controllersUser + `"]
- level: None
  userGroups: ["system:serviceaccounts:kube-system"]
- level: None
  nonResourceURLs: ["/readyz*", "/livez*", "/healthz*"]
` + auditRest

const (
	// AuditBodiesFile is the name of an audit log with bodies. It does not end as other logs do: in
	// those no secret may be.
	AuditBodiesFile = "audit-with-bodies.jsonl"
	auditRest       = "- level: Metadata\n"
	// auditBodies shows whatever is stored, and no token that is requested.
	auditBodies = `- level: Metadata
  resources: [{resources: [serviceaccounts/token, tokenreviews]}, {group: authentication.k8s.io}]
- level: RequestResponse
`
)

func (c *ControlPlane) auditPolicy() string { return filepath.Join(c.Dir, "audit-policy.yaml") }

func (c *ControlPlane) serviceAccountSigningKey() string {
	return filepath.Join(c.Dir, "service-accounts.key")
}

func (c *ControlPlane) etcdData() string { return filepath.Join(c.Dir, "etcd") }

// server makes the process of one of the control plane's programs.
func (c *ControlPlane) server(tool string, args ...string) (*process, error) {
	path, err := lookIn(c.tools, tool)
	if err != nil {
		return nil, err
	}
	return &process{
		name:    tool,
		argv:    append([]string{path}, args...),
		env:     []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir},
		dir:     c.Dir,
		logFile: filepath.Join(c.Dir, tool+".log"),
	}, nil
}

// newEtcd is without TLS: it is reached over loopback by the API server only.
func (c *ControlPlane) newEtcd(client, peer int) (*process, error) {
	clientURL, peerURL := "http://"+loopback(client), "http://"+loopback(peer)
	return c.server("etcd",
		"--name=bed",
		"--data-dir="+c.etcdData(),
		"--listen-client-urls="+clientURL,
		"--advertise-client-urls="+clientURL,
		"--listen-peer-urls="+peerURL,
		"--initial-advertise-peer-urls="+peerURL,
		"--initial-cluster=bed="+peerURL,
		// A bed does not outlive the machine, so nothing has to reach the disk.
		"--unsafe-no-fsync",
		"--log-level=warn",
	)
}

func (c *ControlPlane) etcdAnswers(ctx context.Context) error {
	return c.get(ctx, c.etcdURL+"/health")
}

func (c *ControlPlane) newAPIServer(port, etcd int) (*process, error) {
	names, ips := c.serverAddresses()
	cert, err := c.CA.Issue(CertRequest{Name: "kube-apiserver", Names: names, IPs: ips})
	if err != nil {
		return nil, err
	}
	args := []string{
		"--etcd-servers=http://" + loopback(etcd),
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + cert.CertFile,
		"--tls-private-key-file=" + cert.KeyFile,
		"--client-ca-file=" + c.CAFile,
		"--authorization-mode=Node,RBAC",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=" + ServiceAccountIssuer,
		"--service-account-signing-key-file=" + c.serviceAccountSigningKey(),
		"--service-account-key-file=" + c.ServiceAccountKeyFile,
		"--audit-policy-file=" + c.auditPolicy(),
		"--audit-log-path=" + c.AuditLog,
		// Written before the answer goes out, so that a suite finds what it just did.
		"--audit-log-mode=blocking-strict",
		"--allow-privileged=true",
	}
	if c.options.AdvertiseAddress == "" {
		args = append(args, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none")
	} else {
		client, err := c.CA.Issue(CertRequest{Name: "kubelet-client", Organizations: []string{"system:masters"}})
		if err != nil {
			return nil, err
		}
		args = append(args, "--bind-address=0.0.0.0", "--advertise-address="+c.options.AdvertiseAddress,
			"--kubelet-client-certificate="+client.CertFile, "--kubelet-client-key="+client.KeyFile,
			"--kubelet-preferred-address-types=InternalIP")
	}
	p, err := c.server("kube-apiserver", append(args, c.options.APIServerArgs...)...)
	if err != nil {
		return nil, fmt.Errorf("configuring the API server: %w", err)
	}
	// It would wait a minute for watches, which those who watch never end.
	p.grace = 2 * time.Second
	return p, nil
}

func (c *ControlPlane) newControllerManager() (*process, error) {
	access, err := c.clientCertificate(controllersUser)
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(c.Dir, "controllers.kubeconfig")
	if err := c.writeKubeconfig(kubeconfig, access, ""); err != nil {
		return nil, err
	}
	return c.server("kube-controller-manager",
		"--kubeconfig="+kubeconfig,
		"--service-account-private-key-file="+c.serviceAccountSigningKey(),
		"--root-ca-file="+c.CAFile,
		// Each controller with a service account of its own, as clusters have it.
		"--use-service-account-credentials=true",
		"--leader-elect=false",
		"--secure-port=0",
	)
}
