package discovery

import (
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// TestForeignTargets has a DNS whose answers point elsewhere: TLS would verify the name
// that the answer chose.
func TestForeignTargets(t *testing.T) {
	cluster := []string{"prod.svc.corp.example", "svc.corp.example", "corp.example", "example.com"}
	for name, test := range map[string]struct {
		service Service
		target  string
		refused bool
	}{
		"a pod of the Service":              {Service{Host: "vault-internal"}, "a.vault-internal.prod.svc.corp.example.", false},
		"in capitals":                       {Service{Host: "Vault-Internal"}, "A.VAULT-internal.prod.SVC.corp.example.", false},
		"with the namespace":                {Service{Host: "vault-internal.prod"}, "a.vault-internal.prod.svc.corp.example.", false},
		"with svc":                          {Service{Host: "vault-internal.prod.svc"}, "a.vault-internal.prod.svc.corp.example.", false},
		"in full":                           {Service{Host: "vault-internal.prod.svc.corp.example"}, "a.vault-internal.prod.svc.corp.example.", false},
		"absolute":                          {Service{Host: "vault-internal.prod.svc.corp.example."}, "a.vault-internal.prod.svc.corp.example.", false},
		"without a cluster":                 {Service{Host: "vault.service.consul"}, "a.vault.service.consul.", false},
		"anywhere, with a name of its own":  {Service{Host: "vault-internal", AnyTarget: true}, "vault.evil.test.", false},
		"anywhere, over plain HTTP":         {Service{Host: "vault-internal", Scheme: "http"}, "vault.evil.test.", false},
		"somebody else's domain":            {Service{Host: "vault-internal"}, "vault.evil.test.", true},
		"somebody else's cluster domain":    {Service{Host: "vault-internal"}, "a.vault-internal.prod.svc.evil.test.", true},
		"the default cluster domain":        {Service{Host: "vault-internal"}, "a.vault-internal.prod.svc.cluster.local.", true},
		"a numbered pod of another domain":  {Service{Host: "vault-internal"}, "vault-0.vault-internal.prod.svc.evil.test.", true},
		"another namespace":                 {Service{Host: "vault-internal"}, "a.vault-internal.other.svc.corp.example.", true},
		"another Service":                   {Service{Host: "vault-internal"}, "a.other.prod.svc.corp.example.", true},
		"a name that ends alike":            {Service{Host: "vault-internal"}, "a.my-vault-internal.prod.svc.corp.example.", true},
		"a search domain of the node":       {Service{Host: "vault-internal"}, "a.vault-internal.example.com.", true},
		"the Service itself":                {Service{Host: "vault-internal"}, "vault-internal.prod.svc.corp.example.", true},
		"below an absolute name, completed": {Service{Host: "vault-internal."}, "a.vault-internal.prod.svc.corp.example.", true},
		"an address":                        {Service{Host: "vault-internal"}, "10.0.0.7.", true},
	} {
		t.Run(name, func(t *testing.T) {
			service := test.service
			if service.Scheme == "" {
				service.Scheme = "https"
			}
			service.Search = cluster
			service.Resolver = zone{t: t, asked: "_" + service.Scheme + "._tcp." + service.Host, targets: []string{test.target}, port: 8200}
			got, err := service.Addresses(t.Context())
			if !test.refused {
				if err != nil || len(got) != 1 {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err == nil || fault.KindOf(err) != fault.Usage || !strings.Contains(fault.RemedyOf(err), "--tls-server-name") || !strings.Contains(err.Error(), strings.TrimSuffix(test.target, ".")) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestSearchDomains(t *testing.T) {
	for config, want := range map[string][]string{
		"": nil,
		"nameserver 10.96.0.10\nsearch prod.svc.cluster.local svc.cluster.local\noptions ndots:5\n": {"prod.svc.cluster.local", "svc.cluster.local"},
		"search a.example\ndomain b.example c.example":                                              {"b.example"},
		"# search no.example\nsearch\n":                                                             nil,
	} {
		if got := SearchDomains(config); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", config, got, want)
		}
	}
}
