package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// writeSeed writes a seed with an audit log, and more. The log is raw, so that the suite
// learns every token; it is the one place where secrets are expected, and is not
// among the logs that are searched.
func (sc *scene) writeSeed(more string) error {
	return os.WriteFile(sc.seedFile, fmt.Appendf(nil, `
prune: owned
audit:
  - type: file
    options: {file_path: %s, log_raw: "true"}
policies:
  - name: app
    rules: |
      path "kv/data/app/*" {
        capabilities = ["read"]
      }
      # What the suite looks at without a root token.
      path "sys/policies/acl/vault-bootstrap-seed" {
        capabilities = ["read"]
      }
      path "ssh/roles/+" {
        capabilities = ["read"]
      }
      path "database/config/+" {
        capabilities = ["read"]
      }
auth:
  - type: userpass
    users:
      - {username: ada, password: %s, token_policies: [app]}
secrets:
  - type: kv
    path: kv
    options: {version: "2"}
%s`, sc.audit, adasPassword, more), 0o600)
}

// What is added to the seed: an engine with a role, which nothing in the seed before it has a
// right for; and a database that cannot be reached, which Vault refuses.
const (
	moreRoles = `  - type: ssh
    path: ssh
    configuration:
      roles:
        - {name: robots, key_type: otp, default_user: robot}
`
	moreRefused = `  - type: database
    path: database
    configuration:
      config:
        - name: orders
          plugin_name: postgresql-database-plugin
          allowed_roles: [none]
          connection_url: postgresql://{{username}}:{{password}}@127.0.0.1:1/orders
          username: nobody
          password: nothing
`
)

// seedGrows adds an engine with a role to the seed of a hardened Vault.
func seedGrows(ctx context.Context, sc *scene) error {
	return errors.Join(hardened(ctx, sc), sc.writeSeed(moreRoles))
}

// seedGrowsAndReturns has a person take that back once the violence is over.
func seedGrowsAndReturns(ctx context.Context, sc *scene) error {
	sc.afterwards("")
	return seedGrows(ctx, sc)
}

// seedShrinks takes an engine with a role out of the seed of a hardened Vault.
func seedShrinks(ctx context.Context, sc *scene) error {
	return errors.Join(sc.writeSeed(moreRoles), hardened(ctx, sc), sc.writeSeed(""))
}

// objectRefused begins with a seed that Vault refuses a part of. A person corrects it once the
// violence is over.
func objectRefused(_ context.Context, sc *scene) error {
	sc.afterwards("")
	return sc.writeSeed(moreRefused)
}

// afterwards writes a seed with more once the violence is over.
func (sc *scene) afterwards(more string) {
	sc.repairs = append(sc.repairs, func(context.Context) error { return sc.writeSeed(more) })
}

// applied reports why the verb's work is not done, as ada, whom the seed lets in, sees it.
func (sc *scene) applied(ctx context.Context) error {
	if sc.verb.proves == nil {
		return nil
	}
	node, err := sc.vault.Active(ctx)
	if err != nil {
		return err
	}
	var login struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	if err := node.Call(ctx, http.MethodPost, "auth/userpass/login/ada", "", map[string]string{"password": adasPassword}, &login); err != nil {
		return err
	}
	defer func() {
		_ = node.Call(context.WithoutCancel(ctx), http.MethodPost, "auth/token/revoke-self", login.Auth.ClientToken, nil, nil)
	}()
	return sc.verb.proves(ctx, sc, node, login.Auth.ClientToken)
}

// adasPassword is that of the user in the seed.
const adasPassword = "correct-horse-battery"

// seedPolicy is the policy of our login that is made from the seed.
const seedPolicy = "sys/policies/acl/vault-bootstrap-seed"

// grown reports why the role is not there, or our login could not have made it.
func grown(ctx context.Context, _ *scene, node *testbed.VaultNode, token string) error {
	if err := node.Call(ctx, http.MethodGet, "ssh/roles/robots", token, nil, nil); err != nil {
		return fmt.Errorf("the seed names a role, and it is not there: %w", err)
	}
	return seedPolicyNames(ctx, node, token, true)
}

// notGrown reports what is left of what the seed no longer names. Engines stay: they may hold data.
func notGrown(ctx context.Context, _ *scene, node *testbed.VaultNode, token string) error {
	for _, path := range []string{"ssh/roles/robots", "database/config/orders"} {
		err := node.Call(ctx, http.MethodGet, path, token, nil, nil)
		if err == nil {
			return fmt.Errorf("the seed does not name %s, and it is there", path)
		}
		if failed, is := errors.AsType[*testbed.VaultError](err); !is || failed.Status != http.StatusNotFound {
			return fmt.Errorf("looking whether %s is there: %w", path, err)
		}
	}
	return seedPolicyNames(ctx, node, token, false)
}

// seedPolicyNames fails unless our login's policy is as wide as the seed.
func seedPolicyNames(ctx context.Context, node *testbed.VaultNode, token string, want bool) error {
	var policy struct{ Data struct{ Policy string } }
	if err := node.Call(ctx, http.MethodGet, seedPolicy, token, nil, &policy); err != nil {
		return fmt.Errorf("reading the policy that is made from the seed: %w", err)
	}
	for _, path := range []string{`"ssh/roles/`, `"database/config/`} {
		if has := strings.Contains(policy.Data.Policy, path); has != (want && strings.Contains(path, "ssh")) {
			return fmt.Errorf("our login's policy names %s…: %t\n%s", path, has, policy.Data.Policy)
		}
	}
	return nil
}
