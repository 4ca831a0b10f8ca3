package e2e

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// provocations bring a server to say each text that the program recognizes. They return what it
// said.
func provocations() map[product.Text]func(*speaker) string {
	all := map[product.Text]func(*speaker) string{}
	for _, some := range []map[product.Text]func(*speaker) string{ofRequests(), ofShares(), ofCeremonies(), ofObjects(), ofLogins()} {
		for text, provoke := range some {
			all[text] = provoke
		}
	}
	return all
}

// shownElsewhere are texts that other tests provoke, through the program.
func shownElsewhere() map[product.Text]string {
	return map[product.Text]string{
		product.BadSignature: "TestLoginByAzure", product.OtherPrincipal: "TestLoginByAzure", product.NotAuthorized: "TestLoginByAzure",
		product.AuditConfigInvalid: "TestAuditStanzaBlocksUnseal", product.AuditNotCreated: "TestAuditStanzaBlocksUnseal",
		product.NoChain: "TestLoginByCertificate", product.NoConstraint: "TestLoginByCertificate",
		product.NotInServiceAccounts: "TestLoginByGCP", product.BadCryptography: "TestLoginByGCP",
	}
}

// notProvoked are texts for which no test has the server in that situation: they were read in the
// products' sources, or seen once.
func notProvoked() map[product.Text]string {
	return map[product.Text]string{
		product.TokenMissing:      "an endpoint that Vault 2 guards",
		product.NotActive:         "the moment in which a standby has lost its active node and knows no other",
		product.NoActiveNode:      "the same moment",
		product.NoCertificate:     "a client certificate of a CA that no role trusts",
		product.TokenUnknown:      "Vault 1.21.1 and OpenBao 2.6.2 write it into their log, and answer 'permission denied'",
		product.ConnectionRefused: "a key set that the server does not reach; of a token's reviewer it says 'permission denied'",
		product.NoSuchHost:        "the same, by a name that does not resolve",
		product.DeadlineExceeded:  "the same, without an answer",
		product.NotLeader:         "the moment in which a raft leader has lost its term and not yet stepped down",
		product.NoLongerActive:    "the moment in which an active node steps down while it answers",
		product.QuotaChanging:     "the moment in which a quota that a request hits is changed",
		product.NoKeyYet:          "the moment in which a new raft member opens with the first shares",
		product.NoInstance:        "a cloud's API that does not know the machine",
		product.RoleEntry:         "a role of the aws method that is gone",
		product.NotOfRole:         "another principal at a cloud's API",
		product.KeysNotFetched:    "a directory whose keys cannot be had",
		product.TokenExpired:      "a token of a directory that has expired",
		product.OtherAudience:     "a token of a directory for another audience",
		product.OtherIssuer:       "a token of another directory",
	}
}

// TestTexts holds every text by which the program recognizes an answer against a real answer. A
// text that the product never says is not in the answer to the same provocation.
func TestTexts(t *testing.T) {
	server := testbed.FactsFor(t)
	s := newSpeaker(t)
	provoked, elsewhere, seldom := provocations(), shownElsewhere(), notProvoked()
	for _, text := range product.Texts() {
		t.Run(text.String(), func(t *testing.T) {
			words, never := text.On(product.Kind(server.Product))
			provoke := provoked[text]
			switch {
			case words == "" && never == "":
				t.Fatalf("the table says neither how %s says it nor why it does not", server.Product)
			case provoke == nil && elsewhere[text] == "" && seldom[text] == "":
				t.Fatal("nothing provokes it")
			case provoke == nil && words == "":
				t.Logf("%s never says it: %s", server.Product, never)
				return
			case provoke == nil && elsewhere[text] != "":
				t.Logf("%s shows it", elsewhere[text])
				return
			case provoke == nil:
				t.Logf("not provoked: %s", seldom[text])
				return
			}
			at := *s
			at.t = t
			said := provoke(&at)
			switch {
			case said == "":
				t.Fatal("the server said nothing")
			case words == "" && text.In(said):
				t.Errorf("%s says it, and never does by the table: %s", server.Product, said)
			case words != "" && (!text.In(said) || !strings.Contains(strings.ToLower(said), strings.ToLower(words))):
				t.Errorf("%s says %q, not %q", server.Product, said, words)
			}
		})
	}
}

// speaker is a server that tests bring to say something.
type speaker struct {
	t       *testing.T
	cluster *testbed.VaultCluster
	node    *testbed.VaultNode
	keys    testbed.VaultKeys
}

type fields = map[string]any

func newSpeaker(t *testing.T) *speaker {
	t.Helper()
	return speakerOn(t, testbed.VaultOptions{})
}

func speakerOn(t *testing.T, options testbed.VaultOptions) *speaker {
	t.Helper()
	s := &speaker{t: t, cluster: testbed.VaultFor(t, options)}
	s.node = s.cluster.Nodes[0]
	keys, err := s.cluster.Initialize(t.Context(), 2, 2)
	if err == nil {
		err = s.cluster.Unseal(t.Context(), keys)
	}
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteSecrets(t, keys.RootToken)
	s.keys = keys
	return s
}

// says returns the server's words for a refusal of a request, "" if there is none.
func (s *speaker) says(method, path, token string, in any) string {
	s.t.Helper()
	err := s.node.Call(s.t.Context(), method, path, token, in, nil)
	if refused, ok := errors.AsType[*testbed.VaultError](err); ok {
		return strings.ReplaceAll(refused.Error(), `\"`, `"`) // they are in JSON
	}
	if err != nil {
		s.t.Logf("%s %s: %v", method, path, err)
		return err.Error()
	}
	return ""
}

// must sends a request that has to succeed.
func (s *speaker) must(method, path string, in any) {
	s.t.Helper()
	if said := s.says(method, path, s.keys.RootToken, in); said != "" {
		s.t.Fatalf("%s %s: %s", method, path, said)
	}
}

func (s *speaker) put(path string, in any) string {
	return s.says(http.MethodPut, path, s.keys.RootToken, in)
}

func (s *speaker) onOpenBao() bool { return s.cluster.Server.Product == testbed.OpenBao }
