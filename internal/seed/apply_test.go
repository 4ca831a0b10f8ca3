package seed_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

func TestApplyOrderAndLedger(t *testing.T) {
	w := &world{store: true, show: func(_ string, data map[string]any) map[string]any {
		shown := maps.Clone(data)
		delete(shown, "password")
		return shown
	}}
	var log []string
	options := reconcile.Options{
		Parallelism: 4,
		BeforeCreate: func(_ context.Context, ids []object.ID) error {
			log = append(log, fmt.Sprint("intend ", ids))
			return nil
		},
		Done: func(c reconcile.Change, err error) { log = append(log, fmt.Sprintf("%v%v", c.Stage, err)) },
	}
	result, err := reconcile.Apply(t.Context(), w, plan(t, w, example(t), reconcile.Memory{HashKey: key}), options)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"intend [sys/audit/file sys/auth/ci sys/auth/kubernetes sys/auth/userpass sys/mounts/kv sys/mounts/transit " +
			"auth/kubernetes/config auth/ci/role/builder auth/kubernetes/role/app auth/userpass/users/alice sys/policies/acl/app sys/policies/acl/ci]",
		"audit<nil>",
		"mounts<nil>", "mounts<nil>", "mounts<nil>", "mounts<nil>", "mounts<nil>",
		"config<nil>",
		"roles<nil>", "roles<nil>", "roles<nil>",
		"policies<nil>", "policies<nil>",
	}
	if !slices.Equal(log, want) {
		t.Errorf("got  %q\nwant %q", log, want)
	}
	if len(result.Created) != 12 || len(result.Updated) != 0 || !slices.IsSorted(result.Created) {
		t.Errorf("result %v", result)
	}
	if len(result.Hashes) != 1 || result.Hashes["auth/userpass/users/alice"]["password"] == "" || len(result.Hashes["auth/userpass/users/alice"]) != 1 {
		t.Errorf("only the password is to be remembered, got %v", result.Hashes)
	}
}

func TestApplyStopsWhenTheLedgerFails(t *testing.T) {
	w := &world{}
	lost := errors.New("lost the lease")
	_, err := reconcile.Apply(t.Context(), w, plan(t, w, example(t), reconcile.Memory{}), reconcile.Options{BeforeCreate: func(context.Context, []object.ID) error { return lost }})
	if !errors.Is(err, lost) || len(w.writes) > 0 {
		t.Errorf("got %v after %v", err, w.writes)
	}
}

func TestApplyGoesOnAroundFailures(t *testing.T) {
	w := &world{fail: map[string]error{
		"sys/auth/kubernetes":  refusal{400, "plugin not found"},
		"sys/policies/acl/app": refusal{400, "failed to parse policy"},
	}}
	var skipped int
	result, err := reconcile.Apply(t.Context(), w, plan(t, w, example(t), reconcile.Memory{HashKey: key}), reconcile.Options{Parallelism: 8, Done: func(_ reconcile.Change, err error) {
		if err != nil && strings.Contains(err.Error(), "not tried") {
			skipped++
		}
	}})
	var partly *reconcile.ApplyError
	if !errors.As(err, &partly) {
		t.Fatalf("got %v, want *ApplyError", err)
	}
	want := `applying the seed: 8 objects written, 4 not
creating sys/policies/acl/app (testdata/example.yaml:11:5): failed to parse policy
creating sys/auth/kubernetes (testdata/example.yaml:27:5): plugin not found
creating auth/kubernetes/config (testdata/example.yaml:32:5): not tried, because its mount could not be set up
creating auth/kubernetes/role/app (testdata/example.yaml:36:9): not tried, because its mount could not be set up`
	if err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	if fault.KindOf(err) != fault.Partial || partly.Written != 8 || len(result.Created) != 8 || skipped != 2 {
		t.Errorf("kind %v, written %d, created %d, skipped %d", fault.KindOf(err), partly.Written, len(result.Created), skipped)
	}
}

func TestApplyTransientFailure(t *testing.T) {
	w := &world{fail: map[string]error{"sys/policies/acl/app": refusal{503, "sealed"}}}
	_, err := reconcile.Apply(t.Context(), w, plan(t, w, example(t), reconcile.Memory{}), reconcile.Options{})
	var partly *reconcile.ApplyError
	if !errors.As(err, &partly) || fault.KindOf(err) != fault.Transient {
		t.Errorf("got %v", err)
	}
}

func TestApplyHonoursTheContext(t *testing.T) {
	w := &world{}
	p := plan(t, w, example(t), reconcile.Memory{})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := reconcile.Apply(ctx, w, p, reconcile.Options{Done: func(reconcile.Change, error) { cancel() }})
	if !errors.Is(err, context.Canceled) || len(w.writes) != 1 {
		t.Errorf("got %v after %v", err, w.writes)
	}
}

func TestAuditFailureIsExplained(t *testing.T) {
	w := &world{fail: map[string]error{"sys/audit/file": refusal{400, "sanity check failed; unable to open"}}}
	_, err := reconcile.Apply(t.Context(), w, plan(t, w, example(t), reconcile.Memory{}), reconcile.Options{})
	if err == nil || !strings.Contains(err.Error(), `enabling the audit device "file" (testdata/example.yaml:4:5), which writes to "/vault/audit/audit.log": sanity check failed`) {
		t.Errorf("got %v", err)
	}
	for _, part := range []string{`directory "/vault/audit"`, "writable", "second device"} {
		if !strings.Contains(fault.RemedyOf(err), part) {
			t.Errorf("remedy %q lacks %q", fault.RemedyOf(err), part)
		}
	}
}

func TestErrorsHoldNoSecrets(t *testing.T) {
	const value = "line one\n\"line two\""
	o := object.User("userpass", "bob", map[string]any{"password": value, "note": secret.New("reference")})
	w := &world{
		data: map[string]map[string]any{"sys/auth": {"userpass/": map[string]any{"type": "userpass"}}},
		fail: map[string]error{"auth/userpass/users/bob": refusal{400, fmt.Sprintf("bad: %s %q reference", value, value)}},
	}
	_, err := reconcile.Apply(t.Context(), w, plan(t, w, []object.Object{o}, reconcile.Memory{}), reconcile.Options{})
	if err == nil || strings.Contains(err.Error(), "line two") || strings.Contains(err.Error(), "reference") || !strings.Contains(err.Error(), "REDACTED") {
		t.Errorf("got %v", err)
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if strings.Contains(cause.Error(), "line two") {
			t.Errorf("the chain shows it: %v", cause)
		}
	}
	var partly *reconcile.ApplyError
	if !errors.As(err, &partly) || fault.KindOf(err) != fault.Partial {
		t.Error("the status is lost")
	}
}

// TestMaskedValues holds that a value that Vault shows in another form is written
// once, and that a change on either side is found.
func TestMaskedValues(t *testing.T) {
	object := func(value string) []object.Object {
		return []object.Object{object.AuthConfig("x", "custom", map[string]any{"pin": value, "url": "HTTP://A"})}
	}
	w := &world{
		store: true,
		data:  map[string]map[string]any{"sys/auth": {"x/": map[string]any{"type": "custom"}}},
		show: func(_ string, data map[string]any) map[string]any {
			return map[string]any{"pin": "****", "url": strings.ToLower(fmt.Sprint(data["url"]))}
		},
	}
	memory := reconcile.Memory{HashKey: key}
	apply := func(value string, want reconcile.Action) {
		t.Helper()
		p := plan(t, w, object(value), memory)
		if got := p.Changes[0].Action; got != want {
			t.Errorf("pin %s: action %v, want %v", value, got, want)
		}
		result, err := reconcile.Apply(t.Context(), w, p, reconcile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		memory.Hashes = result.Hashes
	}
	apply("1", reconcile.Create)
	apply("1", reconcile.None)
	apply("2", reconcile.Update)
	apply("2", reconcile.None)
	w.data["auth/x/config"]["url"] = "http://elsewhere"
	apply("2", reconcile.Update)
	apply("2", reconcile.None)
	memory.Hashes = nil // forgotten: written once more
	apply("2", reconcile.Update)
	apply("2", reconcile.None)
	for _, hashes := range memory.Hashes {
		for field, hash := range hashes {
			if strings.Contains(hash, "2") && len(hash) < 20 {
				t.Errorf("%s is remembered as %s", field, hash)
			}
		}
	}
}

// TestUnreadable holds that a path that cannot be read at all is written once.
func TestUnreadable(t *testing.T) {
	object := []object.Object{object.AuthConfig("x", "custom", map[string]any{"pin": "1"})}
	w := &world{
		data: map[string]map[string]any{"sys/auth": {"x/": map[string]any{"type": "custom"}}},
		fail: map[string]error{"read auth/x/config": refusal{405, "unsupported operation"}},
	}
	first, err := reconcile.Apply(t.Context(), w, plan(t, w, object, reconcile.Memory{HashKey: key}), reconcile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p := plan(t, w, object, reconcile.Memory{HashKey: key, Hashes: first.Hashes}); !p.Empty() || len(p.Changes[0].Unseen) != 1 {
		t.Errorf("the second plan is %s", p.Summary())
	}
}

func TestReadBackOncePerEndpoint(t *testing.T) {
	var objects []object.Object
	for i := range 100 {
		objects = append(objects,
			object.Role("k", "kubernetes", fmt.Sprintf("r%d", i), map[string]any{"audience": "a", "alias_metadata": map[string]any{}}),
			object.Policy(fmt.Sprintf("p%d", i), "path {}"))
	}
	w := &world{store: true, data: map[string]map[string]any{"sys/auth": {"k/": map[string]any{"type": "kubernetes"}}}}
	p := plan(t, w, objects, reconcile.Memory{HashKey: key})
	before := len(w.reads)
	if _, err := reconcile.Apply(t.Context(), w, p, reconcile.Options{Parallelism: 1}); err != nil {
		t.Fatal(err)
	}
	if got := len(w.reads) - before; got != 1 {
		t.Errorf("%d objects were read back, want 1", got)
	}
}

func TestFixedFieldsStayOutOfUpdates(t *testing.T) {
	w := &world{store: true, data: map[string]map[string]any{
		"sys/auth":            {"a/": map[string]any{"type": "approle"}},
		"auth/a/role/builder": {"local_secret_ids": true, "token_policies": []any{"x"}},
	}}
	role := func(local bool) []object.Object {
		return []object.Object{object.Role("a", "approle", "builder", map[string]any{"local_secret_ids": local, "token_policies": "y"})}
	}
	if _, err := reconcile.Apply(t.Context(), w, plan(t, w, role(true), reconcile.Memory{}), reconcile.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, there := w.bodies["auth/a/role/builder"]["local_secret_ids"]; there {
		t.Error("an unchanged fixed field was sent")
	}
	w.data["auth/a/role/builder"]["local_secret_ids"] = true
	if _, err := reconcile.NewPlan(t.Context(), w, reconcile.Goal{Objects: role(false), Memory: reconcile.Memory{}, Parallelism: 1}); fault.KindOf(err) != fault.Terminal {
		t.Errorf("got %v", err)
	}
}
