package gather_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/harden/gather"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

type object = map[string]any

// vault answers from a table, and fails the test on paths that it does not know.
type vault struct {
	t       *testing.T
	objects map[string]object   // nil is a 404
	names   map[string][]string // of listings
	fails   map[string]error

	mu    sync.Mutex
	asked map[string]bool
}

func (v *vault) answer(path string) (object, bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked[path] = true
	if err := v.fails[path]; err != nil {
		return nil, false, err
	}
	data, known := v.objects[path]
	if !known {
		v.t.Errorf("%s was asked for", path)
	}
	return data, data != nil, nil
}

func (v *vault) Read(_ context.Context, path string) (object, bool, error) { return v.answer(path) }
func (v *vault) List(_ context.Context, path string) ([]string, bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked[path] = true
	names, known := v.names[path]
	if !known && v.fails[path] == nil {
		v.t.Errorf("%s was listed", path)
	}
	return names, len(names) > 0, v.fails[path]
}

func (v *vault) Ask(_ context.Context, path string, data object) (object, error) {
	found, _, err := v.answer(path + "/" + fmt.Sprint(data["accessor"]))
	return found, err
}

func (v *vault) Peek(_ context.Context, path string) (object, error) {
	data, _, err := v.answer(path)
	return data, err
}

// refusal is an answer of Vault's.
type refusal struct {
	code  int
	words string
}

func (r refusal) Error() string               { return fmt.Sprint(r.code, ": ", r.words) }
func (r refusal) HTTPStatus() int             { return r.code }
func (r refusal) Says(text product.Text) bool { return text.In(r.words) }

func decoded(t *testing.T, text string) map[string]object {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var objects map[string]object
	if err := decoder.Decode(&objects); err != nil {
		t.Fatal(err)
	}
	return objects
}

// furnished is a Vault with something at every path that is read.
func furnished(t *testing.T) *vault {
	return &vault{t: t, fails: map[string]error{}, asked: map[string]bool{}, objects: decoded(t, `{
		"sys/audit": {"file/": {"type": "file", "options": {"log_raw": "true"}}},
		"sys/auth": {
			"kube/": {"type": "kubernetes", "config": {"default_lease_ttl": 3600, "max_lease_ttl": "768h"}},
			"jwt/": {"type": "jwt", "config": {"listing_visibility": "unauth"}},
			"approle/": {"type": "approle"}, "aws/": {"type": "aws"}, "cert/": {"type": "cert"},
			"userpass/": {"type": "userpass", "config": {"user_lockout_config": {"user_lockout_disable": true}}}
		},
		"sys/mounts": {"kv/": {"type": "kv"}},
		"sys/config/state/sanitized": {"enable_ui": true, "max_lease_ttl": 0, "default_lease_ttl": "30m",
			"listeners": [{"type": "tcp", "config": {"address": "0.0.0.0:8200", "tls_disable": "1", "tls_min_version": "tls12"}}]},
		"sys/config/cors": {"enabled": true, "allowed_origins": ["*"]},
		"sys/config/ui/headers/a": {"value": "one"}, "sys/config/ui/headers/b": {"values": ["two", "three"]},
		"sys/policies/acl/app": {"policy": "path \"kv/*\" { capabilities = [\"read\"] }"},
		"sys/policies/password/good": {"policy": "length = 24"}, "sys/policies/password/bad": {"policy": "{"},
		"sys/quotas/rate-limit/q": {"path": "kv/"},
		"sys/generate-root/attempt": {"started": false}, "sys/rekey/init": {"started": false}, "sys/rekey-recovery-key/init": {"started": true},
		"sys/key-status": {"install_time": "2026-01-02T03:04:05Z"}, "sys/rotate/config": {"enabled": true, "interval": 86400},
		"sys/storage/raft/autopilot/state": {"healthy": true, "voters": ["a", "b"], "failure_tolerance": 1,
			"servers": {"a": {"node_status": "alive", "healthy": true}, "b": {"node_status": "left", "healthy": true}, "c": {"node_status": "alive"}}},
		"sys/loggers": {"core": "debug"},
		"auth/token/lookup-accessor/one": {"path": "auth/token/create", "display_name": "root", "policies": ["root"], "orphan": true, "period": 5, "creation_ttl": 90},
		"auth/token/lookup-accessor/two": null,
		"auth/kube/role/open": {"bound_service_account_names": ["*"], "bound_service_account_namespaces": ["*"]},
		"auth/kube/role/good": {"bound_service_account_names": ["a"], "bound_service_account_namespaces": ["*"]},
		"auth/jwt/role/open": {"bound_claims": {"team": ["*"]}}, "auth/jwt/role/good": {"bound_claims": {"team": "x"}}, "auth/jwt/role/subject": {"bound_subject": "x"},
		"auth/approle/role/open": {"bind_secret_id": false, "token_bound_cidrs": ["0.0.0.0/0"]}, "auth/approle/role/good": {"bind_secret_id": true},
		"auth/approle/role/cidr": {"bind_secret_id": false, "token_bound_cidrs": ["10.0.0.0/8"]},
		"auth/aws/role/open": {"bound_iam_principal_arn": ["arn:aws:iam::*:role/x"], "ttl": 5}, "auth/aws/role/good": {"bound_account_id": ["1"]},
		"auth/cert/certs/open": {"allowed_names": ["*"]}, "auth/cert/certs/good": {"allowed_dns_sans": ["x"]}
	}`), names: map[string][]string{
		"sys/config/ui/headers": {"a", "b"}, "sys/policies/acl": {"app", "default-ceiling", "root"}, "sys/policies/password": {"good", "bad"},
		"sys/quotas/rate-limit": {"q"}, "auth/token/accessors": {"one", "two"}, "sys/namespaces": nil,
		"auth/kube/role": {"open", "good"}, "auth/jwt/role": {"open", "good", "subject"}, "auth/approle/role": {"open", "good", "cidr"},
		"auth/aws/role": {"open", "good"}, "auth/cert/certs": {"open", "good"},
	}}
}

func groups() []harden.Group { return harden.AllGroups() }

func known[T any](t *testing.T, fact harden.Fact[T]) T {
	t.Helper()
	value, ok := fact.Get()
	if !ok {
		t.Errorf("%T is not known: %s", fact, fact.Why())
	}
	return value
}

func TestEverythingIsRead(t *testing.T) {
	api, facts := furnished(t), &harden.Facts{}
	if err := gather.Vault(t.Context(), api, groups(), 4, facts); err != nil {
		t.Fatal(err)
	}
	for path := range api.objects {
		if !api.asked[path] {
			t.Errorf("%s was not read", path)
		}
	}
	if audit := known(t, facts.Audit); len(audit) != 1 || !reflect.DeepEqual(audit[0], harden.AuditDevice{Path: "file", Type: "file", Raw: true}) {
		t.Errorf("got %+v", audit)
	}
	auth := known(t, facts.Auth)
	if at := slices.IndexFunc(auth, func(m harden.Mount) bool { return m.Path == "kube" }); auth[at].DefaultTTL != time.Hour || auth[at].MaxTTL != 768*time.Hour {
		t.Errorf("got %+v", auth[at])
	}
	server := known(t, facts.Server)
	if len(server.Listeners) != 1 || !server.Listeners[0].NoTLS || !server.UI || server.DefaultTTL != 30*time.Minute || server.MaxTTL != 0 {
		t.Errorf("got %+v", server)
	}
	if headers := known(t, facts.Headers); !reflect.DeepEqual(headers, []harden.Header{{Name: "a", Value: "one"}, {Name: "b", Value: "two"}}) {
		t.Errorf("got %v", headers)
	}
	if !known(t, facts.CORS).Enabled || known(t, facts.GenerateRoot) || !known(t, facts.Rekey) || known(t, facts.Loggers)["core"] != "debug" {
		t.Errorf("got %+v, %v, %v", facts.CORS, facts.GenerateRoot, facts.Rekey)
	}
	if key := known(t, facts.Key); key.Interval != 24*time.Hour || !key.Rotates || key.Installed.Year() != 2026 {
		t.Errorf("got %+v", key)
	}
	if raft := known(t, facts.Raft); raft.Voters != 2 || raft.Tolerance != 1 || !slices.Equal(raft.Dead, []string{"b", "c"}) {
		t.Errorf("got %+v", raft)
	}
	tokens := known(t, facts.Tokens)
	if len(tokens) != 1 || tokens[0].Accessor != "one" || !tokens[0].Periodic || !tokens[0].Orphan || tokens[0].TTL != 90*time.Second {
		t.Errorf("got %+v", tokens)
	}
	passwords := known(t, facts.Passwords)
	if len(passwords) != 2 || passwords[0].Length+passwords[1].Length != 24 {
		t.Errorf("got %+v", passwords)
	}
	if policies := known(t, facts.Policies); len(policies) != 1 || policies[0].Name != "app" {
		t.Errorf("got %+v", policies)
	}
	if quotas := known(t, facts.Quotas); len(quotas) != 1 || quotas[0].Path != "kv/" {
		t.Errorf("got %+v", quotas)
	}
	for _, role := range known(t, facts.Roles) {
		if open := strings.HasSuffix(role.Path, "/open"); open != (role.Open != "") {
			t.Errorf("%s: %q", role.Path, role.Open)
		}
	}
}

// What Vault refuses is unknown and not an error; an outage is both.
func TestWhatIsNotRead(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		says   string
		passes bool
	}{
		"forbidden": {refusal{403, "permission denied"}, "seed policy", false},
		"broken":    {refusal{500, "internal error"}, "internal error", true},
		"away":      {errors.New("connection refused"), "connection refused", true},
	} {
		t.Run(name, func(t *testing.T) {
			api, facts := furnished(t), &harden.Facts{}
			for path := range api.objects {
				api.fails[path] = test.err
			}
			err := gather.Vault(t.Context(), api, groups(), 0, facts)
			if (err != nil) != test.passes {
				t.Errorf("got %v", err)
			}
			for what, why := range map[string]string{
				"audit": facts.Audit.Why(), "auth": facts.Auth.Why(), "server": facts.Server.Why(), "cors": facts.CORS.Why(), "headers": facts.Headers.Why(),
				"policies": facts.Policies.Why(), "key": facts.Key.Why(), "raft": facts.Raft.Why(), "loggers": facts.Loggers.Why(), "tokens": facts.Tokens.Why(),
				"roles": facts.Roles.Why(), "rekey": facts.Rekey.Why(),
			} {
				if !strings.Contains(why, test.says) {
					t.Errorf("%s is not known since %q", what, why)
				}
			}
			for path := range api.names {
				api.fails[path] = test.err
			}
			facts = &harden.Facts{}
			_ = gather.Vault(t.Context(), api, groups(), 1, facts)
			for what, why := range map[string]string{"policies": facts.Policies.Why(), "tokens": facts.Tokens.Why(), "quotas": facts.Quotas.Why()} {
				if !strings.Contains(why, test.says) {
					t.Errorf("%s are not known since %q", what, why)
				}
			}
		})
	}
}

// A token that expires while it is looked up is left out, and the facts say what a server does not
// have.
func TestWhatIsNotThere(t *testing.T) {
	api, facts := furnished(t), &harden.Facts{}
	api.fails["auth/token/lookup-accessor/two"] = refusal{403, "invalid accessor"}
	api.fails["auth/token/lookup-accessor/one"] = refusal{404, ""}
	for _, path := range []string{"sys/config/state/sanitized", "sys/storage/raft/autopilot/state", "sys/loggers"} {
		api.objects[path] = nil
	}
	api.objects["sys/key-status"] = object{"install_time": "yesterday"}
	if err := gather.Vault(t.Context(), api, groups(), 2, facts); err != nil {
		t.Fatal(err)
	}
	if tokens := known(t, facts.Tokens); len(tokens) != 0 {
		t.Errorf("got %+v", tokens)
	}
	for what, why := range map[string]string{"server": facts.Server.Why(), "raft": facts.Raft.Why(), "loggers": facts.Loggers.Why()} {
		if !strings.Contains(why, "does not have") {
			t.Errorf("%s is not known since %q", what, why)
		}
	}
	if why := facts.Key.Why(); !strings.Contains(why, "shows no install time") {
		t.Errorf("the key is not known since %q", why)
	}
}

// TestAttemptsByProduct reads whether a ceremony is in progress from where the product says it.
func TestAttemptsByProduct(t *testing.T) {
	bao := func(version string) product.Product {
		parsed, _ := product.ParseVersion(version)
		return product.Product{Kind: product.OpenBao, Version: parsed}
	}
	for name, test := range map[string]struct {
		server                product.Product
		root, rekey, recovery bool
		closed                string
		old                   bool // by the endpoint that takes no token
	}{
		"OpenBao 2.6, idle":              {bao("2.6.2"), false, false, false, "", false},
		"OpenBao 2.6, generating a root": {bao("2.6.2"), true, false, false, "", false},
		"OpenBao 2.6, rotating":          {bao("2.6.2"), false, true, false, "", false},
		"OpenBao 2.6, recovery keys":     {bao("2.6.2"), false, false, true, "", false},
		"OpenBao 2.6, an old rekey":      {bao("2.6.2"), false, false, false, "", true},
		"OpenBao 2.5, rotating":          {bao("2.5.5"), false, true, false, "sys/generate-root/attempt", false},
	} {
		t.Run(name, func(t *testing.T) {
			api, facts := furnished(t), &harden.Facts{Product: test.server}
			data := func(started bool) object { return object{"data": map[string]any{"started": started}} }
			api.objects = map[string]object{test.server.Statuses(product.GenerateRoot)[0].Path: data(test.root),
				"sys/rotate/root/init": data(test.rekey), "sys/rotate/recovery/init": data(test.recovery)}
			api.fails["sys/rekey/init"], api.fails["sys/rekey-recovery-key/init"] = refusal{405, "unsupported operation"}, refusal{404, "unsupported path"}
			if test.old {
				delete(api.fails, "sys/rekey/init")
				api.objects["sys/rekey/init"] = object{"started": true}
			}
			if test.closed != "" {
				api.fails[test.closed] = refusal{405, "unsupported operation"}
			}
			if err := gather.Vault(t.Context(), api, []harden.Group{harden.GroupAttempts}, 1, facts); err != nil {
				t.Fatal(err)
			}
			if got := known(t, facts.Rekey); got != (test.rekey || test.recovery || test.old) {
				t.Errorf("rekey: %v", got)
			}
			if test.closed != "" {
				if _, is := facts.GenerateRoot.Get(); is || !strings.Contains(facts.GenerateRoot.Why(), "closed") {
					t.Errorf("generate-root: known %v, %q", is, facts.GenerateRoot.Why())
				}
				return
			}
			if got := known(t, facts.GenerateRoot); got != test.root {
				t.Errorf("generate-root: %v", got)
			}
		})
	}
}
