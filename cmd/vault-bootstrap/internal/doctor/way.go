package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// lookAtNames finds the servers, and resolves their names.
func (e *examination) lookAtNames(ctx context.Context) finding {
	var err error
	if e.way.servers, err = e.Options.Vault.Open(e.Env, job.Pods(e.records)); err != nil {
		// Names and addresses can be looked at without certificates, and may be at fault as well.
		e.way.unusable = err
		if e.way.servers, err = e.withoutFiles(); err != nil {
			return wrong(e.way.unusable)
		}
	}
	members := e.way.servers.Members()
	err = job.Permitted(ctx, members.Refresh)
	if err != nil {
		return wrong(err)
	}
	var names, missing []string
	var last error
	for _, server := range members.Servers() {
		host := hostName(server.Address())
		if host == "" || net.ParseIP(host) != nil || e.proxied(server.Address()) != "" {
			continue
		}
		names = append(names, host)
		if _, err := net.DefaultResolver.LookupHost(ctx, host); err != nil {
			missing, last = append(missing, host), err
		}
	}
	switch {
	case len(members.Servers()) == 0:
		return wrong(fault.Wait(errors.New("no replica is known"), "Wait for the pods, or check --vault-service and --vault-selector."))
	case last != nil:
		err := fault.Wait(fmt.Errorf("the name of %d of %d servers does not resolve: %w", len(missing), len(members.Servers()), last),
			"Check the name in --vault-addr (VAULT_ADDR). Names of a cluster mean nothing outside of it: there, use an address that leads to it, such as that of 'kubectl port-forward'.")
		return finding{err: err, partly: len(missing) < len(names)}
	case len(names) == 0:
		return ok("no name has to be resolved")
	}
	return ok(fmt.Sprintf("%s resolves", strings.Join(names, ", ")))
}

// withoutFiles opens the servers without the certificates that are given.
func (e *examination) withoutFiles() (*job.Servers, error) {
	options := e.Options.Vault
	options.CACert, options.CAPath, options.ClientCert, options.ClientKey = "", "", "", ""
	return options.Open(func(name string) (string, bool) {
		switch name {
		case "VAULT_CACERT", "VAULT_CACERT_BYTES", "VAULT_CAPATH", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY":
			return "", false
		}
		return e.Env(name)
	}, job.Pods(e.records))
}

// dialTime is how long a connection may take to be made.
const dialTime = 5 * time.Second

// lookAtNetwork connects to the servers, and asks each for its health.
func (e *examination) lookAtNetwork(ctx context.Context) finding {
	replicas := e.way.servers.Cluster.Replicas()
	e.way.answers = make([]answer, len(replicas))
	servers := make([]cluster.Server, len(replicas))
	for i, replica := range replicas {
		servers[i] = replica
	}
	cluster.Each(servers, func(i int, server cluster.Server) {
		health, err := server.Health(ctx)
		e.way.answers[i] = answer{server.Address(), health, err}
	})
	var silent []answer
	for _, each := range e.way.answers {
		if each.err != nil && !aboutTLS(each.err) {
			silent = append(silent, each)
		}
	}
	if len(silent) == 0 {
		return ok(fmt.Sprintf("%d of %d servers can be reached", len(e.way.answers), len(e.way.answers)))
	}
	return finding{err: e.unreached(ctx, silent), partly: len(silent) < len(e.way.answers)}
}

// unreached says why servers do not answer.
func (e *examination) unreached(ctx context.Context, silent []answer) error {
	first := silent[0]
	what := fmt.Errorf("%s does not answer: %s", first.address, cluster.Brief(first.err))
	if len(e.way.answers) > 1 {
		what = fmt.Errorf("%d of %d servers do not answer, %s among them: %s", len(silent), len(e.way.answers), first.address, cluster.Brief(first.err))
	}
	if proxy := e.proxied(first.address); proxy != "" {
		return fault.Misuse(fmt.Errorf("%w (requests go through the proxy %s)", what, proxy),
			fmt.Sprintf("If the proxy is not meant for Vault, add %s to NO_PROXY, or unset HTTPS_PROXY, HTTP_PROXY and VAULT_PROXY_ADDR here.", hostName(first.address)))
	}
	connection, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", hostOf(first.address))
	if err != nil {
		return fault.Wait(what, "Check that the server runs, that the port is right, and that no network policy or firewall is in between. In Kubernetes: 'kubectl get pods,endpoints'.")
	}
	_ = connection.Close()
	return fault.Wait(what, "Something accepts connections there, and does not answer as Vault does. Check the address, the port, and what is in front of Vault.")
}

// aboutTLS reports whether a server was reached, and only TLS with it failed.
func aboutTLS(err error) bool {
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok || vault.Untrusted(err) {
		return true
	}
	return strings.Contains(err.Error(), "remote error: tls:")
}

// lookAtTLS says with whom TLS fails, and why.
func (e *examination) lookAtTLS(ctx context.Context) finding {
	if e.way.unusable != nil {
		return wrong(e.way.unusable)
	}
	plain := 0
	for _, each := range e.way.answers {
		if !strings.HasPrefix(each.address, "https:") {
			plain++
		}
		if each.err == nil || !aboutTLS(each.err) {
			continue
		}
		invalid, is := errors.AsType[x509.CertificateInvalidError](each.err)
		if is && invalid.Reason == x509.Expired {
			if found, differ := e.outOfTime(ctx, each, invalid.Cert); differ {
				return found
			}
		}
		return wrong(untrusted(each, invalid.Cert))
	}
	switch {
	case plain == len(e.way.answers):
		return ok("not in use: the address begins with http://, and whoever is in between can read the keys")
	case e.Options.Vault.SkipVerify:
		return ok("the certificate is not verified (--tls-skip-verify)")
	}
	return ok("the certificate is trusted")
}

// untrusted is the error for a server whose certificate is no good.
func untrusted(a answer, expired *x509.Certificate) error {
	remedy := "The message says what the server expects: if it asks for a certificate of ours, give --client-cert and --client-key."
	cause := cluster.Brief(a.err)
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](a.err); unknown {
		remedy = "Give the CA that signed it with --ca-cert (VAULT_CACERT); with Vault's chart it is in the Secret that the server mounts."
	}
	if other, mismatch := errors.AsType[x509.HostnameError](a.err); mismatch {
		cause = other.Error()
		remedy = "Use an address whose host is in the certificate, or name one that is with --tls-server-name (VAULT_TLS_SERVER_NAME)."
	}
	if expired != nil {
		cause = fmt.Sprintf("it was valid from %s to %s", expired.NotBefore.Format(time.RFC3339), expired.NotAfter.Format(time.RFC3339))
		remedy = "Have the server's certificate renewed, and restart the server or send it SIGHUP."
	}
	if errors.Is(a.err, http.ErrSchemeMismatch) {
		cause, remedy = "the server does not speak TLS", "Write http:// in its address, or better: set up TLS on the server's listener."
	} else if strings.HasPrefix(a.address, "http:") {
		cause, remedy = "the server expects TLS", "Write https:// in its address (VAULT_ADDR)."
	}
	what := fmt.Errorf("the certificate of %s is not trusted: %s", a.address, cause)
	if strings.HasPrefix(cause, "the server ") {
		what = fmt.Errorf("%s: %s", a.address, cause)
	}
	return fault.Misuse(what, remedy)
}

// hostName returns the host of an address, without its port; empty for a socket.
func hostName(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme == "unix" {
		return ""
	}
	return parsed.Hostname()
}

// hostOf returns the host of an address with its port, and nothing that may be a password.
func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	port := parsed.Port()
	switch {
	case port != "":
	case parsed.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(parsed.Hostname(), port)
}
