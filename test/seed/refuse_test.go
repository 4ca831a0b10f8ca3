package seed_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// TestImmutable asks a real Vault for what it cannot do in place.
func TestImmutable(t *testing.T) {
	b := start(t)
	b.call(t, "PUT", "sys/mounts/two", m{"type": "kv", "options": m{"version": "2"}})
	b.call(t, "PUT", "sys/mounts/cached", m{"type": "transit"})
	b.call(t, "PUT", "sys/auth/people", m{"type": "userpass"})
	for name, test := range map[string]struct {
		object object.Object
		want   string
	}{
		"kv 2 to 1":     {object.SecretsMount("two", "kv", m{"options": m{"version": "1"}}), `options.version is "2", the seed wants "1"`},
		"engine's type": {object.SecretsMount("two", "pki", nil), `type is "kv", the seed wants "pki"`},
		"method's type": {object.AuthMount("people", "approle", nil), `type is "userpass", the seed wants "approle"`},
		"caching":       {object.SecretsMount("cached", "transit", m{"config": m{"force_no_cache": true}}), "config.force_no_cache is false, the seed wants true"},
		"audit device":  {object.AuditDevice(probe, "file", m{"options": m{"file_path": "/elsewhere"}}), `the seed wants "/elsewhere"; Vault cannot change an audit device in place`},
	} {
		writes := b.writes(t, func() {
			objects := []object.Object{test.object, object.Policy("other", `path "x" {}`)}
			p, err := reconcile.NewPlan(t.Context(), b.as(t, b.root), reconcile.Goal{Objects: objects, Memory: b.memory, Parallelism: 16})
			if err == nil || !strings.Contains(err.Error(), test.want) || fault.KindOf(err) != fault.Terminal || fault.RemedyOf(err) == "" {
				t.Fatalf("%s: got %v", name, err)
			}
			if _, err := reconcile.Apply(t.Context(), b.as(t, b.root), p, reconcile.Options{}); err == nil {
				t.Errorf("%s: applied all the same", name)
			}
		})
		if len(writes) > 0 {
			t.Errorf("%s: wrote %v", name, writes)
		}
	}
}

// TestUpgradeKV turns a kv mount with data from version 1 into 2.
func TestUpgradeKV(t *testing.T) {
	b := start(t)
	objects := func(version string) []object.Object {
		return []object.Object{object.SecretsMount("kv", "kv", m{"options": m{"version": version}})}
	}
	b.call(t, "PUT", "sys/mounts/kv", m{"type": "kv"}) // Vault takes this for version 1
	wantEmpty(t, b.plan(t, objects("1")))
	b.call(t, "PUT", "kv/greeting", m{"text": "hello"})
	if writes := b.writes(t, func() { b.apply(t, objects("2")) }); len(writes) != 1 || writes[0] != "update sys/mounts/kv/tune" {
		t.Errorf("wrote %v", writes)
	}
	wantEmpty(t, b.plan(t, objects("2")))
}

// TestUnwritableAuditPath holds that the message says which device, which path and
// what to do, and that the rest of the seed is applied.
func TestUnwritableAuditPath(t *testing.T) {
	b := start(t)
	file := filepath.Join(b.dir, "a-file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Nobody, not even root, can make a directory below a file.
	objects := b.load(t, shipped, "/vault/audit/audit.log", file+"/audit.log")
	result, err := reconcile.Apply(t.Context(), b.as(t, b.root), b.plan(t, objects), reconcile.Options{Parallelism: 16})
	if err == nil {
		t.Fatal("no error")
	}
	t.Logf("%v\n%s", err, fault.RemedyOf(err))
	if want := `enabling the audit device "file" (`; !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `which writes to "`+file+`/audit.log": `) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(fault.RemedyOf(err), `create the directory "`+file+`" on every replica`) || fault.KindOf(err) != fault.Partial {
		t.Errorf("kind %v, remedy %q", fault.KindOf(err), fault.RemedyOf(err))
	}
	if len(result.Created) != len(objects)-1 {
		t.Errorf("%d of %d objects were created", len(result.Created), len(objects))
	}
}
