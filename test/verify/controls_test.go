package verify_test

import (
	"cmp"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// spoilt is one way to make a good Vault bad, in what its API can change.
type spoilt struct {
	control string
	// name is the test's, if it is not the control's.
	name  string
	spoil func(t *testing.T, b *bed)
	// mend puts it right by hand. Without one, 'run' must fix it.
	mend func(t *testing.T, b *bed)
	// objects are to be blamed, if the control blames any.
	objects []string
	// besides are other controls that fail with it.
	besides []string
}

func put(path string, in m) func(*testing.T, *bed) {
	return func(t *testing.T, b *bed) { t.Helper(); b.call(t, http.MethodPut, path, in) }
}

func remove(path string) func(*testing.T, *bed) {
	return func(t *testing.T, b *bed) { t.Helper(); b.call(t, http.MethodDelete, path, nil) }
}

// cancelRekey names the rekey by its nonce, as Vault asks for.
func cancelRekey(t *testing.T, b *bed) {
	t.Helper()
	b.call(t, http.MethodDelete, "sys/rekey/init", m{"nonce": b.call(t, http.MethodGet, "sys/rekey/init", nil)["nonce"]})
}

func rerun(t *testing.T, b *bed) { t.Helper(); b.must(t, 0, "run") }

func spoilers() []spoilt {
	policy := func(rules string) m { return m{"policy": rules} }
	return []spoilt{
		{control: "audit-device", spoil: func(t *testing.T, b *bed) { remove("sys/audit/one")(t, b); remove("sys/audit/two")(t, b) }, mend: rerun, besides: []string{"second-audit-device"}},
		{control: "second-audit-device", spoil: remove("sys/audit/two"), mend: rerun},
		{control: "audit-raw", spoil: func(t *testing.T, b *bed) {
			b.call(t, http.MethodPut, "sys/audit/raw", m{"type": "file", "options": m{"file_path": filepath.Join(b.dir, "raw.log"), "log_raw": "true"}})
		}, mend: remove("sys/audit/raw"), objects: []string{"raw"}},
		{control: "cors", spoil: put("sys/config/cors", m{"allowed_origins": "*"})},
		{control: "ui-headers", spoil: put("sys/config/ui/headers/Content-Security-Policy", m{"values": []string{"default-src *"}}), objects: []string{"Content-Security-Policy"}},
		{control: "user-lockout", spoil: put("sys/auth/userpass/tune", m{"user_lockout_config": m{"lockout_disable": true}}), objects: []string{"userpass"}},
		{control: "mount-lease-ttl", spoil: put("sys/mounts/team/tune", m{"max_lease_ttl": "9000h"}), objects: []string{"team"}},
		{control: "listed-mounts", spoil: put("sys/auth/userpass/tune", m{"listing_visibility": "unauth"}), objects: []string{"auth/userpass"}},
		{control: "log-level", spoil: put("sys/loggers", m{"level": "debug"})},
		{control: "key-rotation", spoil: put("sys/rotate/config", m{"interval": "20000h"})},
		{control: "password-policies", spoil: put("sys/policies/password/short", policy("length = 8\nrule \"charset\" {\n  charset = \"abcdefgh\"\n}")), mend: remove("sys/policies/password/short"), objects: []string{"short"}},
		{control: "rate-limit", spoil: remove("sys/quotas/rate-limit/everything"), mend: put("sys/quotas/rate-limit/everything", m{"rate": 100000})},
		{control: "wildcard-policies", spoil: put("sys/policies/acl/wide", policy(`path "*" { capabilities = ["read"] }`)), mend: remove("sys/policies/acl/wide"), objects: []string{"wide"}},
		{control: "sudo-policies", spoil: put("sys/policies/acl/strong", policy(`{"path": {"sys/audit": {"capabilities": ["read", "sudo"]}}}`)), mend: remove("sys/policies/acl/strong"), objects: []string{"strong"}},
		{control: "generate-root-idle", spoil: put("sys/generate-root/attempt", m{}), mend: remove("sys/generate-root/attempt")},
		{control: "rekey-idle", spoil: put("sys/rekey/init", m{"secret_shares": 3, "secret_threshold": 2}), mend: cancelRekey},
		{control: "role-bindings", spoil: func(t *testing.T, b *bed) {
			b.call(t, http.MethodPut, "auth/approle/role/open", m{"bind_secret_id": false, "token_bound_cidrs": "0.0.0.0/0"})
		}, mend: remove("auth/approle/role/open"), objects: []string{"approle/role/open"}},
	}
}

// spoilersOf adds what the server has of its own.
func spoilersOf(b *bed) []spoilt {
	if b.cluster.Server.Product != testbed.OpenBao {
		return spoilers()
	}
	return append(spoilers(),
		spoilt{name: "generate-root-idle by its new name", control: "generate-root-idle", spoil: put("sys/generate-root-token/attempt", m{}), mend: remove("sys/generate-root-token/attempt")},
		spoilt{name: "rekey-idle by its new name", control: "rekey-idle", spoil: put("sys/rotate/root/init", m{"secret_shares": 3, "secret_threshold": 2}), mend: remove("sys/rotate/root/init")})
}

// TestControls makes one good Vault bad in one way after another.
func TestControls(t *testing.T) {
	t.Parallel()
	b := hardened(t, testbed.VaultOptions{TLS: true}, "  fix: [all]\n")
	good := b.verify(t)
	for _, each := range spoilersOf(b) {
		want(t, good, each.control, holdsOrAccepted(each.control))
	}
	for _, each := range spoilersOf(b) {
		t.Run(cmp.Or(each.name, each.control), func(t *testing.T) { each.test(t, b, good) })
	}
	t.Run("default-policy", func(t *testing.T) { defaultPolicy(t, b, good) })
	t.Run("tokens", func(t *testing.T) { tokens(t, b, good) })
	t.Run("own-login", func(t *testing.T) { ownLogin(t, b, good) })
	t.Run("key-age", func(t *testing.T) { keyAge(t, b) })
	t.Run("limits", func(t *testing.T) { limits(t, b) })
	t.Run("clock-skew", func(t *testing.T) { clockSkew(t, b) })
	t.Run("role kinds", func(t *testing.T) { roleKinds(t, b) })
	t.Run("verify only reads", func(t *testing.T) {
		_, before := b.audited(t, 0)
		b.verify(t)
		if writes, _ := b.audited(t, before); len(writes) > 0 {
			t.Errorf("verify wrote: %v", writes)
		}
	})
}

// holdsOrAccepted: the suite's own policy is covered by an exception.
func holdsOrAccepted(id string) harden.Status {
	if id == "wildcard-policies" || id == "sudo-policies" {
		return harden.Accepted
	}
	return harden.Holds
}

// test spoils, looks, and mends.
func (s spoilt) test(t *testing.T, b *bed, good map[string]shown) {
	s.spoil(t, b)
	bad := b.verify(t)
	want(t, bad, s.control, harden.Fails)
	for _, id := range s.besides {
		want(t, bad, id, harden.Fails)
	}
	if got := changed(good, bad); len(got) != 1+len(s.besides) {
		t.Errorf("what differs from the good Vault: %v", got)
	}
	for _, object := range s.objects {
		if !slices.Contains(bad[s.control].Objects, object) {
			t.Errorf("blamed: %v, want %s among them", bad[s.control].Objects, object)
		}
	}
	if s.mend != nil {
		s.mend(t, b)
	} else {
		s.fix(t, b, bad)
	}
	if got := changed(good, b.verify(t)); len(got) > 0 {
		t.Errorf("after it was put right, what differs: %v", got)
	}
}

// fix has 'run' put it right, and then do nothing.
func (s spoilt) fix(t *testing.T, b *bed, bad map[string]shown) {
	t.Helper()
	if !bad[s.control].Fixable {
		t.Error("verify does not show it as fixable")
	}
	_, before := b.audited(t, 0)
	done := b.must(t, 0, "run")
	if !strings.Contains(done.Stderr, fmt.Sprintf(`"control":%q`, s.control)) {
		t.Errorf("run does not say what it fixed:\n%s", done.Stderr)
	}
	writes, middle := b.audited(t, before)
	if len(writes) != 1 {
		t.Errorf("run wrote %v, want one call", writes)
	}
	b.must(t, 0, "run")
	if writes, _ := b.audited(t, middle); len(writes) > 0 {
		t.Errorf("the run after it wrote: %v", writes)
	}
}

func defaultPolicy(t *testing.T, b *bed, good map[string]shown) {
	data, _ := b.call(t, http.MethodGet, "sys/policies/acl/default", nil)["data"].(m)
	text, _ := data["policy"].(string)
	put("sys/policies/acl/default", m{"policy": text + "\npath \"team/*\" { capabilities = [\"read\"] }\n"})(t, b)
	bad := b.verify(t)
	want(t, bad, "default-policy", harden.Fails)
	if got := bad["default-policy"].Objects; !slices.Equal(got, []string{"team/*"}) {
		t.Errorf("blamed: %v", got)
	}
	put("sys/policies/acl/default", m{"policy": text})(t, b)
	if got := changed(good, b.verify(t)); len(got) > 0 {
		t.Errorf("afterwards, what differs: %v", got)
	}
}

func tokens(t *testing.T, b *bed, good map[string]shown) {
	want(t, good, "root-tokens", harden.Holds)
	want(t, good, "lasting-tokens", harden.Holds)
	root := b.makeRoot(t)
	bad := b.verify(t)
	want(t, bad, "root-tokens", harden.Fails)
	want(t, bad, "lasting-tokens", harden.Holds)
	if strings.Contains(fmt.Sprint(bad["root-tokens"].Objects), root) {
		t.Error("the token itself is shown")
	}
	data, _ := b.callAs(t, root, http.MethodPost, "auth/token/create", m{"policies": []string{"default"}, "period": "24h", "no_parent": true})["auth"].(m)
	accessor, _ := data["accessor"].(string)
	b.callAs(t, root, http.MethodPut, "auth/token/revoke-self", nil)
	bad = b.verify(t)
	want(t, bad, "root-tokens", harden.Holds)
	want(t, bad, "lasting-tokens", harden.Fails)
	if got := bad["lasting-tokens"].Objects; !slices.Equal(got, []string{accessor}) {
		t.Errorf("blamed: %v, want %s", got, accessor)
	}
	b.call(t, http.MethodPut, "auth/token/revoke-accessor", m{"accessor": accessor})
	if got := changed(good, b.verify(t)); len(got) > 0 {
		t.Errorf("afterwards, what differs: %v", got)
	}
}

// ownLogin has Vault refuse our login: nothing that takes a token may then hold.
func ownLogin(t *testing.T, b *bed, good map[string]shown) {
	role := "auth/approle/role/vault-bootstrap"
	put(role, m{"secret_id_bound_cidrs": "10.99.0.0/16"})(t, b)
	bad := b.verify(t)
	want(t, bad, "own-login", harden.Fails)
	for _, id := range []string{"audit-device", "cors", "tls-listeners", "role-bindings", "root-tokens", "key-age"} {
		want(t, bad, id, harden.Unknown)
	}
	want(t, bad, "root-token-gone", harden.Holds)
	want(t, bad, "version", harden.Holds)
	put(role, m{"secret_id_bound_cidrs": ""})(t, b)
	if got := changed(good, b.verify(t)); len(got) > 0 {
		t.Errorf("afterwards, what differs: %v", got)
	}
}

// withRules returns a seed file with other rules.
func (b *bed) withRules(t *testing.T, edits ...string) string {
	t.Helper()
	seed := goodSeed(b.dir, "  fix: [all]\n")
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(seed, edits[i]) {
			t.Fatalf("the seed does not hold %q", edits[i])
		}
	}
	return write(t, filepath.Join(t.TempDir(), "seed.yaml"), strings.NewReplacer(edits...).Replace(seed))
}

// keyAge takes the age that the key has for the limit, and has 'run' rotate it.
func keyAge(t *testing.T, b *bed) {
	data, _ := b.call(t, http.MethodGet, "sys/key-status", nil)["data"].(m)
	installed, err := time.Parse(time.RFC3339Nano, fmt.Sprint(data["install_time"]))
	if err != nil {
		t.Fatal(err)
	}
	limit := fmt.Sprintf("limits: {key-age: %s, certificate-left: 1h}", time.Since(installed))
	seed := "--seed=" + b.withRules(t, "limits: {certificate-left: 1h}", limit)
	bad := b.verify(t, seed)
	want(t, bad, "key-age", harden.Fails)
	b.must(t, 0, "run", seed)
	data, _ = b.call(t, http.MethodGet, "sys/key-status", nil)["data"].(m)
	if fmt.Sprint(data["term"]) == "1" {
		t.Error("the key was not rotated")
	}
	want(t, b.verify(t, seed), "key-age", harden.Holds)
	b.must(t, 0, "run") // the limit has changed the interval of the rotation
}

// limits makes controls fail that a Vault of today cannot fail otherwise.
func limits(t *testing.T, b *bed) {
	good := b.verify(t)
	want(t, good, "version", harden.Holds)
	want(t, good, "tls-certificate", harden.Holds)
	bad := b.verify(t, "--seed="+b.withRules(t, "limits: {certificate-left: 1h}", "limits: {version: 99.0.0, certificate-left: 48h}"))
	if got, want := changed(good, bad), []string{"tls-certificate: holds → fails", "version: holds → fails"}; !slices.Equal(got, want) {
		t.Errorf("what differs: %v", got)
	}
}

// clockSkew lets a proxy tell a wrong time: nothing sets the clock of a process alone.
func clockSkew(t *testing.T, b *bed) {
	certificate, err := b.cluster.CA.Issue(testbed.CertRequest{Name: "proxy"})
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := testbed.StartHTTPProxy(testbed.HTTPProxyOptions{Target: b.node.Addr, CA: b.cluster.CA, Certificate: certificate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	through := *b.program
	through.flags = slices.DeleteFunc(slices.Clone(b.flags), func(flag string) bool { return strings.HasPrefix(flag, "--vault-addr=") })
	through.flags = append(through.flags, "--vault-addr="+proxy.URL)
	want(t, through.verify(t), "clock-skew", harden.Holds)
	health := b.call(t, http.MethodGet, "sys/health", nil)
	proxy.Inject(testbed.Fault{Path: "/v1/sys/health", Status: http.StatusOK, Body: fmt.Sprintf(
		`{"initialized":true,"sealed":false,"standby":false,"cluster_id":%q,"version":%q,"server_time_utc":%d}`,
		health["cluster_id"], health["version"], time.Now().Add(-time.Minute).Unix())})
	bad := through.verify(t)
	want(t, bad, "clock-skew", harden.Fails)
	if got := bad["clock-skew"].Objects; !slices.Equal(got, []string{proxy.URL}) {
		t.Errorf("blamed: %v", got)
	}
}

// roleKinds has a bound and an open role of every kind.
func roleKinds(t *testing.T, b *bed) {
	kinds := slices.DeleteFunc([]string{"kubernetes", "jwt", "aws", "cert"}, func(kind string) bool { return !testbed.FactsFor(t).BuiltIn("auth", kind) })
	for _, kind := range kinds {
		put("sys/auth/"+kind, m{"type": kind})(t, b)
		defer remove("sys/auth/"+kind)(t, b)
	}
	put("auth/jwt/config", m{"jwt_validation_pubkeys": []string{publicKey(t)}})(t, b)
	certificate := certificateText(t, b)
	pods := func(names, namespaces string) m {
		return m{"bound_service_account_names": names, "bound_service_account_namespaces": namespaces, "audience": "vault"}
	}
	claims := func(more m) m {
		role := m{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault"}
		for key, value := range more {
			role[key] = value
		}
		return role
	}
	iam := func(arn string) m {
		return m{"auth_type": "iam", "bound_iam_principal_arn": arn, "resolve_aws_unique_ids": false}
	}
	for path, in := range map[string]m{
		"kubernetes/role/open": pods("*", "*"), "kubernetes/role/bound": pods("app", "*"),
		"jwt/role/open": claims(nil), "jwt/role/bound": claims(m{"bound_subject": "ci"}), "jwt/role/claimed": claims(m{"bound_claims": m{"project": "x"}}),
		"aws/role/open": iam("arn:aws:iam::*"), "aws/role/bound": iam("arn:aws:iam::123456789012:role/app"),
		"cert/certs/open": {"certificate": certificate}, "cert/certs/bound": {"certificate": certificate, "allowed_common_names": "app"},
		"approle/role/bound": {"bind_secret_id": false, "token_bound_cidrs": "10.0.0.0/8"},
	} {
		if kind, _, _ := strings.Cut(path, "/"); kind == "approle" || slices.Contains(kinds, kind) {
			put("auth/"+path, in)(t, b)
		}
	}
	defer remove("auth/approle/role/bound")(t, b)
	got := b.verify(t)["role-bindings"].Objects
	slices.Sort(got)
	want := slices.DeleteFunc([]string{"aws/role/open", "cert/certs/open", "jwt/role/open", "kubernetes/role/open"}, func(path string) bool {
		kind, _, _ := strings.Cut(path, "/")
		return !slices.Contains(kinds, kind)
	})
	if !slices.Equal(got, want) {
		t.Errorf("blamed: %v, want %v", got, want)
	}
}
