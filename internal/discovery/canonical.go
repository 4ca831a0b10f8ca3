package discovery

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// SearchDomains returns the search domains of a resolv.conf. The last line that names any wins, as
// it does for the resolver (resolv.conf(5)).
func SearchDomains(config string) []string {
	var domains []string
	for line := range strings.Lines(config) {
		switch words := strings.Fields(line); {
		case len(words) > 1 && words[0] == "search":
			domains = words[1:]
		case len(words) > 1 && words[0] == "domain":
			domains = words[1:2]
		}
	}
	return domains
}

// normalName returns a DNS name in lower case and without the final dot.
func normalName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// canonical returns the names that Host can stand for: itself, and what the search domains make of
// it, provided that this is the name of a Service. They come from the command line and the machine,
// never from a DNS answer.
func (s Service) canonical() []string {
	names := []string{normalName(s.Host)}
	if strings.HasSuffix(s.Host, ".") { // absolute: nothing is appended
		return names
	}
	for _, domain := range s.Search {
		name := normalName(s.Host) + "." + normalName(domain)
		// SERVICE.NAMESPACE.svc, and then the cluster's domain, whatever it is called.
		if labels := strings.Split(name, "."); len(labels) > 3 && labels[2] == "svc" {
			names = append(names, name)
		}
	}
	return names
}

// checkTargets refuses records that point out of the Service. The name that TLS verifies is the
// target's: if the DNS chose it, a certificate of any public CA would do, and whoever forges the
// answer would get the keys.
//
// If another name is verified (AnyTarget), the target does not matter. Over plain HTTP nothing is
// verified at all: whoever forges SRV records can forge addresses as well, so the check would be
// worth nothing.
func (s Service) checkTargets(pods []pod) error {
	if s.AnyTarget || s.Scheme != "https" {
		return nil
	}
	names := s.canonical()
	for _, pod := range pods {
		below := func(name string) bool { return strings.HasSuffix(normalName(pod.target), "."+name) }
		if net.ParseIP(pod.target) != nil || !slices.ContainsFunc(names, below) {
			return fault.Misuse(fmt.Errorf("looking up _%s._tcp.%s: %w", s.Scheme, s.Host, foreignTarget(pod.target, names)),
				"Check who answers the DNS. If the target is right, give --vault-service by its full name (SERVICE.NAMESPACE.svc.CLUSTERDOMAIN), "+
					"or the name in Vault's certificate with --tls-server-name: TLS then verifies a name that the DNS did not choose.")
		}
	}
	return nil
}

func foreignTarget(target string, names []string) error {
	return fmt.Errorf("the target %q is not below %s", target, strings.Join(names, " or "))
}
