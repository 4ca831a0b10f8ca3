package discovery

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// zone is a DNS that gives fixed answers to one question.
type zone struct {
	t       *testing.T
	asked   string
	targets []string
	port    uint16
	err     error
}

func (z zone) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if got := "_" + service + "._" + proto + "." + name; got != z.asked {
		z.t.Errorf("looked up %s, want %s", got, z.asked)
	}
	var records []*net.SRV
	for _, target := range z.targets {
		records = append(records, &net.SRV{Target: target, Port: z.port, Priority: 0, Weight: 33})
	}
	return "", records, z.err
}

// numbered returns the addresses of vault-0 to vault-(n-1).
func numbered(n int) []string {
	var addresses []string
	for i := range n {
		addresses = append(addresses, "https://vault-"+strconv.Itoa(i)+".vault-internal:8200")
	}
	return addresses
}

func TestAddresses(t *testing.T) {
	const domain = ".vault-internal.prod.svc.cluster.local."
	none := &net.DNSError{Err: "no such host", IsNotFound: true}
	for name, test := range map[string]struct {
		service Service
		targets []string
		err     error
		want    []string
	}{
		"as the chart": {
			Service{Scheme: "https"}, []string{"vault-1" + domain, "vault-0" + domain, "vault-2" + domain}, nil,
			[]string{"https://vault-0.vault-internal:8200", "https://vault-1.vault-internal:8200", "https://vault-2.vault-internal:8200"},
		},
		"the lowest is hidden": {
			Service{Scheme: "http"}, []string{"vault-1" + domain}, nil,
			[]string{"http://vault-0.vault-internal:8200", "http://vault-1.vault-internal:8200"},
		},
		"fewer than expected": {
			Service{Scheme: "https", Replicas: 3, StatefulSet: "other"}, []string{"my-vault-0" + domain}, nil,
			[]string{"https://my-vault-0.vault-internal:8200", "https://my-vault-1.vault-internal:8200", "https://my-vault-2.vault-internal:8200"},
		},
		"scaled up": {
			Service{Scheme: "https", Replicas: 1}, []string{"vault-10" + domain, "vault-0" + domain, "vault-9" + domain}, nil,
			numbered(11),
		},
		"port given": {
			Service{Scheme: "https", Port: 443}, []string{"vault-0" + domain}, nil,
			[]string{"https://vault-0.vault-internal:443"},
		},
		"no StatefulSet": {
			Service{Scheme: "https"}, []string{"b" + domain, "a" + domain, "a" + domain}, nil,
			[]string{"https://a.vault-internal.prod.svc.cluster.local:8200", "https://b.vault-internal.prod.svc.cluster.local:8200"},
		},
		"addresses as names": {
			Service{Scheme: "https"}, []string{"10-0-0-8" + domain, "10-0-0-7" + domain}, nil,
			[]string{"https://10-0-0-7.vault-internal.prod.svc.cluster.local:8200", "https://10-0-0-8.vault-internal.prod.svc.cluster.local:8200"},
		},
		"no records, count known": {
			Service{Scheme: "https", Replicas: 2, StatefulSet: "vault"}, nil, none,
			[]string{"https://vault-0.vault-internal:8200", "https://vault-1.vault-internal:8200"},
		},
		"the DNS fails, count known": {
			Service{Scheme: "https", Replicas: 1, StatefulSet: "vault"}, nil, errors.New("timeout"),
			[]string{"https://vault-0.vault-internal:8200"},
		},
		"no such service": {
			Service{Scheme: "https", Replicas: 1, StatefulSet: "vault"}, []string{"."}, nil,
			[]string{"https://vault-0.vault-internal:8200"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.service.Host, test.service.Search = "vault-internal", []string{"prod.svc.cluster.local", "svc.cluster.local", "cluster.local"}
			test.service.Resolver = zone{t: t, asked: "_" + test.service.Scheme + "._tcp.vault-internal", targets: test.targets, port: 8200, err: test.err}
			got, err := test.service.Addresses(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestNothingKnown(t *testing.T) {
	for name, err := range map[string]error{"not found": &net.DNSError{Err: "no such host", IsNotFound: true}, "empty": nil} {
		service := Service{Host: "vault-internal", Scheme: "https", StatefulSet: "vault"}
		service.Resolver = zone{t: t, asked: "_https._tcp.vault-internal", err: err}
		got, err := service.Addresses(t.Context())
		if fault.KindOf(err) != fault.Transient || err == nil || !strings.Contains(fault.RemedyOf(err), "publishNotReadyAddresses") {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}
