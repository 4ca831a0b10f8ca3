package harden_test

import (
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// hardened are the facts of a Vault on which every control holds.
// running returns a product by its version.
func running(kind product.Kind, version string) product.Product {
	parsed, _ := product.ParseVersion(version)
	return product.Product{Kind: kind, Version: parsed}
}

func hardened() harden.Facts {
	return harden.Facts{
		Now: now, OwnPolicies: []string{"vault-bootstrap"}, RootStored: harden.Known(false), Login: harden.Known(true),
		Audit:   harden.Known([]harden.AuditDevice{{Path: "file", Type: "file"}, {Path: "socket", Type: "socket"}}),
		Auth:    harden.Known([]harden.Mount{{Path: "kubernetes", Type: "kubernetes", DefaultTTL: time.Hour, MaxTTL: 24 * time.Hour}}),
		Secrets: harden.Known([]harden.Mount{{Path: "kv", Type: "kv", DefaultTTL: time.Hour, MaxTTL: 24 * time.Hour}}),
		Server: harden.Known(harden.Server{
			Listeners: []harden.Listener{{Type: "tcp", Address: "0.0.0.0:8200", MinTLS: "tls12"}}, DefaultTTL: time.Hour, MaxTTL: 24 * time.Hour,
			DisableMlock: true, // since the storage is raft
		}),
		CORS: harden.Known(harden.CORS{}),
		Headers: harden.Known([]harden.Header{
			{Name: "Strict-Transport-Security", Value: "max-age=31536000; includeSubDomains"}, {Name: "Content-Security-Policy", Value: "default-src 'none'; frame-ancestors 'none'"},
			{Name: "X-Content-Type-Options", Value: "nosniff"}, {Name: "X-Frame-Options", Value: "DENY"},
		}),
		Policies: harden.Known([]harden.Policy{
			{Name: "app", Rules: []harden.Rule{{Path: "kv/app/*", Capabilities: []string{"read"}}}},
			{Name: "default", Rules: []harden.Rule{{Path: "auth/token/lookup-self", Capabilities: []string{"read"}}}},
		}),
		Passwords:    harden.Known([]harden.PasswordPolicy{{Name: "good", Length: 32}}),
		Quotas:       harden.Known([]harden.Quota{{Name: "all"}}),
		GenerateRoot: harden.Known(false), Rekey: harden.Known(false),
		Key:      harden.Known(harden.Key{Installed: now.Add(-time.Hour), Rotates: true, Interval: 720 * time.Hour}),
		Seal:     harden.Known(harden.Seal{Type: "awskms", Storage: "raft"}),
		Raft:     harden.Known(harden.Raft{Healthy: true, Voters: 5, Tolerance: 2}),
		Loggers:  harden.Known(map[string]string{"core": "info"}),
		Replicas: harden.Known([]harden.Replica{{Address: "https://vault-0", Product: running(product.Vault, "1.21.1"), TLS: true, Expires: now.AddDate(1, 0, 0)}}),
		Roles:    harden.Known([]harden.Role{{Path: "kubernetes/role/app"}}),
		Record: harden.Known(harden.Record{Stored: true, Shares: true, Recipients: []harden.Recipient{
			{Name: "awskms:arn", Beside: harden.Known(false), Since: now.AddDate(-2, 0, 0), Proven: now.AddDate(0, -1, 0)},
			{Name: "age:age1x", Beside: harden.Known(false), Since: now.AddDate(0, -6, 0)},
		}}),
		Tokens: harden.Known([]harden.Token{{Accessor: "a", Path: "auth/kubernetes/login", Policies: []string{"app"}, TTL: time.Hour}}),
		Kubernetes: &harden.Kubernetes{
			Readers: harden.Known([]string{}), Asked: 5, Owners: harden.Known([]string{}), Dangers: harden.Known([]string{}),
			Pods: harden.Known([]string{}), PodsSeen: 1, Uncovered: harden.Known([]string{}),
		},
	}
}

// weak are the facts of a Vault on which none does.
func weak() harden.Facts {
	facts := hardened()
	facts.RootStored, facts.Login = harden.Known(true), harden.Known(false)
	facts.Audit = harden.Known([]harden.AuditDevice{{Path: "file", Type: "file", Raw: true}})
	facts.Auth = harden.Known([]harden.Mount{
		{Path: "userpass", Type: "userpass", NoLockout: true, Listed: true, DefaultTTL: 9000 * time.Hour, MaxTTL: 90000 * time.Hour},
		{Path: "github", Type: "github", Listed: true},
	})
	facts.Secrets = harden.Known([]harden.Mount{{Path: "db", Type: "database", DefaultTTL: 9000 * time.Hour, MaxTTL: 90000 * time.Hour, Listed: true}})
	facts.Server = harden.Known(harden.Server{
		Listeners:  []harden.Listener{{Type: "tcp", Address: "0.0.0.0:8200", NoTLS: true, MinTLS: "tls10"}},
		RawStorage: true, Introspection: true, UI: true, DefaultTTL: 9000 * time.Hour, MaxTTL: 90000 * time.Hour,
	})
	facts.CORS = harden.Known(harden.CORS{Enabled: true, Origins: []string{"*"}})
	facts.Headers = harden.Known([]harden.Header{
		{Name: "Content-Security-Policy", Value: "default-src *"}, {Name: "X-Frame-Options", Value: "allow"}, {Name: "X-Content-Type-Options", Value: "sniff"},
	})
	facts.Policies = harden.Known([]harden.Policy{
		{Name: "app", Rules: []harden.Rule{{Path: "*", Capabilities: []string{"sudo", "update"}}, {Path: "sys/policies/acl/*", Capabilities: []string{"update"}}}},
		{Name: "default", Rules: []harden.Rule{{Path: "kv/*", Capabilities: []string{"read"}}}},
		{Name: "broken", Broken: "it cannot be parsed"},
	})
	facts.Passwords = harden.Known([]harden.PasswordPolicy{{Name: "short", Length: 6}})
	facts.Quotas = harden.Known([]harden.Quota{})
	facts.GenerateRoot, facts.Rekey = harden.Known(true), harden.Known(true)
	facts.Key = harden.Known(harden.Key{Installed: now.AddDate(-5, 0, 0)})
	facts.Seal = harden.Known(harden.Seal{Type: "shamir", Storage: "raft"})
	facts.Raft = harden.Known(harden.Raft{Voters: 1, Dead: []string{"b"}})
	facts.Loggers = harden.Known(map[string]string{"core": "trace"})
	facts.Replicas = harden.Known([]harden.Replica{
		{Address: "http://vault-0", Product: running(product.Vault, "1.10.0"), Skew: time.Hour, Open: []string{"sys/metrics", "sys/pprof"}},
		{Address: "https://vault-1", Product: running(product.Vault, "1.21.1"), TLS: true, Expires: now.Add(time.Hour)},
	})
	facts.Roles = harden.Known([]harden.Role{{Path: "kubernetes/role/app", Open: "any service account of any namespace"}})
	facts.Record = harden.Known(harden.Record{Stored: true, Shares: true, Recipients: []harden.Recipient{{Name: "age:age1x", Beside: harden.Known(true), Since: now.AddDate(-2, 0, 0)}}})
	facts.Tokens = harden.Known([]harden.Token{
		{Accessor: "r", Path: "auth/token/root", Policies: []string{"root"}, Orphan: true},
		{Accessor: "p", Path: "auth/token/create", Policies: []string{"app"}, Orphan: true, Periodic: true, TTL: 90000 * time.Hour},
	})
	facts.Kubernetes = &harden.Kubernetes{
		Readers: harden.Known([]string{"ns/backup"}), Asked: 5, Owners: harden.Known([]string{"Vault/v"}), Dangers: harden.Known([]string{"it is immutable"}),
		Pods: harden.Known([]string{"vault-0: host network"}), PodsSeen: 1, Uncovered: harden.Known([]string{"vault-0"}),
	}
	return facts
}

// Every control holds on a hardened Vault, fails on a weak one with words that say why, and
// is repaired by calls where it has some.
func TestControlsDistinguishGoodFromBad(t *testing.T) {
	strict := harden.DefaultRules(harden.Strict)
	for _, result := range harden.Judge(hardened(), strict, true) {
		if result.Status != harden.Holds || result.Seen == "" || len(result.Objects) > 0 {
			t.Errorf("on a hardened Vault %s %s: %s %q", result.ID, result.Status, result.Seen, result.Objects)
		}
	}
	facts := weak()
	for _, result := range harden.Judge(facts, strict, true) {
		if result.ID == "audit-device" { // a raw one is one: see below
			continue
		}
		if result.Status != harden.Fails || result.Seen == "" {
			t.Errorf("on a weak Vault %s %s: %s", result.ID, result.Status, result.Seen)
			continue
		}
		if result.Fixable() != (result.Fix != nil) {
			t.Errorf("%s is fixable: %v", result.ID, result.Fixable())
		}
		if result.Fix == nil {
			continue
		}
		calls := result.Fix(facts, strict.Limits)
		if len(calls) == 0 {
			t.Errorf("nothing repairs %s", result.ID)
		}
		for _, call := range calls {
			if text := call.String(); !strings.HasSuffix(text, call.Path) || call.Delete != strings.HasPrefix(text, "delete ") {
				t.Errorf("%s: %q", result.ID, text)
			}
		}
	}
	facts.Audit = harden.Known([]harden.AuditDevice{})
	results := harden.Judge(facts, strict, true)
	if got := find(t, results, "audit-device"); got.Status != harden.Fails {
		t.Errorf("without an audit device: %s", got.Status)
	}
	if required, advised := harden.Failed(results, true), harden.Failed(results, false); len(required) == 0 || len(required)+len(advised) < len(results)-1 {
		t.Errorf("%d required and %d advised ones fail, of %d", len(required), len(advised), len(results))
	}
	if fixes := harden.ToFix(harden.Judge(facts, rules(t, harden.Spec{Fix: []string{"cors"}}), true)); len(fixes) != 1 || fixes[0].ID != "cors" {
		t.Errorf("to be fixed are %+v", fixes)
	}
}

// What depends on the storage does not apply to another one.
func TestRaftControlsNeedRaft(t *testing.T) {
	facts := hardened()
	facts.Seal = harden.Known(harden.Seal{Type: "awskms", Storage: "consul"})
	results := harden.Judge(facts, harden.DefaultRules(harden.Strict), true)
	for _, id := range []string{"raft-autopilot", "raft-quorum", "raft-dead-peers"} {
		if got := find(t, results, id); got.Status != harden.Inapplicable || got.Failed() {
			t.Errorf("%s: %s", id, got.Status)
		}
	}
	if got := find(t, results, "mlock"); got.Status != harden.Fails {
		t.Errorf("mlock: %s", got.Status)
	}
	facts.Kubernetes = nil
	if len(harden.Judge(facts, harden.DefaultRules(harden.Strict), false)) >= len(results) {
		t.Error("controls of Kubernetes, or costly ones, are judged where nobody looked")
	}
}
