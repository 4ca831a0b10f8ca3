package vault

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

type object = map[string]any

// data is an answer with an envelope.
func data(t *testing.T, of object) string {
	t.Helper()
	return compact(t, object{"request_id": "r", "data": of})
}

func TestSessionReadsAndWrites(t *testing.T) {
	session := script{
		`GET kv/a?version=2`:    data(t, object{"a": "b"}),
		`GET kv/none`:           `404 {"errors":[]}`,
		`GET kv?list=true`:      data(t, object{"keys": []string{"a", "b/"}}),
		`PUT kv/a {"x":1}`:      compact(t, object{"request_id": "r", "data": object{"id": "i"}, "warnings": []string{"w"}}),
		`PUT kv/b null`:         `204 `,
		`DELETE kv/a?soft=true`: `204 `,
		`GET sys/rekey/init`:    `{"started":true,"n":5}`,
	}.session(t, "hvs.token")
	found, there, err := session.Read(t.Context(), "kv/a?version=2")
	check(t, err)
	same(t, "is there", there, true)
	same(t, "read", found, object{"a": "b"})
	if _, there, err = session.Read(t.Context(), "kv/none"); err != nil || there {
		t.Errorf("nothing is there: %v, %v", there, err)
	}
	names, _, err := session.List(t.Context(), "kv")
	check(t, err)
	same(t, "list", names, []string{"a", "b/"})
	answer, warnings, err := session.Put(t.Context(), "kv/a", object{"x": 1})
	check(t, err)
	same(t, "answer", answer, object{"id": "i"})
	same(t, "warnings", warnings, []string{"w"})
	if answer, _, err = session.Put(t.Context(), "kv/b", nil); err != nil || answer != nil {
		t.Errorf("got %v, %v", answer, err)
	}
	check(t, session.Delete(t.Context(), "kv/a?soft=true"))
	peeked, err := session.Peek(t.Context(), "sys/rekey/init")
	check(t, err)
	same(t, "peek", peeked["started"], true)
	for _, path := range []string{"kv/a?%zz", "kv/b?%zz"} {
		if _, _, err := session.Read(t.Context(), path); err == nil {
			t.Errorf("%s was read", path)
		}
		if err := session.Delete(t.Context(), path); err == nil {
			t.Errorf("%s was deleted", path)
		}
	}
	same(t, "token", session.Token().Reveal(), "hvs.token")
}

func TestIdentity(t *testing.T) {
	session := script{
		`GET auth/token/lookup-self`: data(t, object{
			"accessor": "acc", "orphan": true, "type": "service", "policies": []string{"default", "p"}, "identity_policies": []string{"g"},
			"external_namespace_policies": object{"ns": []string{"x"}},
		}),
		`PUT sys/capabilities-self {"paths":["a","b"]}`: data(t, object{"a": []string{"read"}, "b": []string{"deny"}}),
		`PUT auth/token/revoke-self null`:               `204 `,
	}.session(t, "hvs.token")
	want := Identity{Accessor: "acc", Policies: []string{"default", "p"}, IdentityPolicies: []string{"g"}, Elsewhere: true, Orphan: true, Type: "service"}
	identity, err := session.Identity(t.Context())
	check(t, err)
	same(t, "identity", identity, want)
	if dead, err := session.Dead(t.Context()); err != nil || dead {
		t.Errorf("a live token is dead: %v", err)
	}
	capabilities, err := session.Capabilities(t.Context(), []string{"a", "b"})
	check(t, err)
	same(t, "capabilities", capabilities, map[string][]string{"a": {"read"}, "b": {"deny"}})
	if none, err := session.Capabilities(t.Context(), nil); err != nil || len(none) > 0 {
		t.Errorf("got %v, %v", none, err)
	}
	check(t, session.RevokeSelf(t.Context()))

	view := session.View()
	if !view.Of(session) || view.None() || !(View{}).None() || (View{}).Of(session) {
		t.Error("a view does not know whose it is")
	}
	identity, err = view.Identity(t.Context())
	check(t, err)
	same(t, "identity", identity, want)
	if _, err := view.Capabilities(t.Context(), []string{"a", "b"}); err != nil {
		t.Error(err)
	}
	if _, err := view.Ask(t.Context(), "sys/capabilities-self", object{"paths": []string{"a", "b"}}); err != nil {
		t.Error(err)
	}
	if _, err := view.Ask(t.Context(), "sys/policies/acl/x", nil); err == nil || !strings.Contains(err.Error(), "not a query that a read-only") {
		t.Errorf("a view has written: %v", err)
	}
}

func TestATokenThatEnded(t *testing.T) {
	refused := `403 {"errors":["permission denied"]}`
	session := script{
		`GET auth/token/lookup-self`: refused, `PUT sys/capabilities-self {"paths":["a"]}`: refused,
	}.session(t, "hvs.token")
	if dead, err := session.Dead(t.Context()); err != nil || !dead {
		t.Errorf("got %v, %v", dead, err)
	}
	if _, err := session.Capabilities(t.Context(), []string{"a"}); httpstatus.Of(err) != http.StatusForbidden || !Mentions(err, product.PermissionDenied) || Foreign(err) {
		t.Errorf("got %v", err)
	}
	broken := script{`GET auth/token/lookup-self`: `400 no JSON`}.session(t, "hvs.token")
	if dead, err := broken.Dead(t.Context()); err == nil || dead || !Foreign(err) {
		t.Errorf("got %v, %v", dead, err)
	}
}

func TestTokensByAccessor(t *testing.T) {
	gone := `400 {"errors":["1 error occurred: invalid accessor"]}`
	session := script{
		`GET auth/token/accessors?list=true`: data(t, object{"keys": []string{"a", "b"}}),
		`PUT auth/token/lookup-accessor {"accessor":"a"}`: data(t, object{
			"path": "auth/token/root", "display_name": "root", "policies": []string{"root"}, "orphan": true, "creation_time": 5, "expire_time": nil,
		}),
		`PUT auth/token/lookup-accessor {"accessor":"b"}`: data(t, object{"policies": []string{"p"}, "expire_time": "2026-01-02T03:04:05Z"}),
		`PUT auth/token/lookup-accessor {"accessor":"c"}`: gone,
		`PUT auth/token/lookup-accessor {"accessor":"d"}`: data(t, object{"expire_time": "soon"}),
		`PUT auth/token/lookup-accessor {"accessor":"e"}`: `403 {"errors":["permission denied"]}`,
		`PUT auth/token/revoke-accessor {"accessor":"a"}`: `204 `,
		`PUT auth/token/revoke-accessor {"accessor":"c"}`: gone,
	}.session(t, "hvs.token")
	accessors, err := session.Accessors(t.Context())
	check(t, err)
	same(t, "accessors", accessors, []string{"a", "b"})
	token, found, err := session.Lookup(t.Context(), "a")
	check(t, err)
	if want := (Token{Accessor: "a", Path: "auth/token/root", Display: "root", Policies: []string{"root"}, Orphan: true, Created: time.Unix(5, 0).UTC()}); !found || !token.Root() {
		t.Errorf("got %+v, want %+v", token, want)
	} else {
		same(t, "token", token, want)
	}
	token, _, err = session.Lookup(t.Context(), "b")
	check(t, err)
	if token.Root() || token.Expires.Year() != 2026 {
		t.Errorf("got %+v", token)
	}
	if _, found, err := session.Lookup(t.Context(), "c"); err != nil || found {
		t.Errorf("got %v, %v", found, err)
	}
	for _, accessor := range []string{"d", "e"} {
		if _, found, err := session.Lookup(t.Context(), accessor); err == nil || found {
			t.Errorf("%s: %v", accessor, found)
		}
	}
	check(t, session.RevokeAccessor(t.Context(), "a"))
	check(t, session.RevokeAccessor(t.Context(), "c"))
}

func TestLogin(t *testing.T) {
	cluster := script{
		`PUT auth/approle/login {"role_id":"r"}`:     `{"auth":{"client_token":"hvs.new"}}`,
		`PUT auth/approle/login {"role_id":"none"}`:  `{"auth":{}}`,
		`PUT auth/approle/login {"role_id":"wrong"}`: `400 {"errors":["invalid role ID"]}`,
	}.play(t, "")
	address := cluster.Replicas()[0].Address()
	session, err := cluster.Login(t.Context(), address, "approle/login", map[string]secret.Value{"role_id": secret.New("r")})
	check(t, err)
	same(t, "token", session.Token().Reveal(), "hvs.new")
	for role, says := range map[string]string{"none": "holds no token", "wrong": "invalid role ID"} {
		if _, err := cluster.Login(t.Context(), address, "approle/login", map[string]secret.Value{"role_id": secret.New(role)}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", role, err)
		}
	}
	if _, err := cluster.Login(t.Context(), "https://elsewhere", "x", nil); err == nil {
		t.Error("an address that is not ours was used")
	}
}

func TestFields(t *testing.T) {
	help := func(post object, schema object) string {
		return compact(t, object{"openapi": object{
			"paths":      object{"/x/{name}": object{"parameters": []object{{"name": "name"}}, "post": post}},
			"components": object{"schemas": object{"XRequest": schema}},
		}})
	}
	takes := object{"requestBody": object{"content": object{"application/json": object{"schema": object{"$ref": "#/components/schemas/XRequest"}}}}}
	session := script{
		`GET x/a?help=1`:   help(takes, object{"properties": object{"ttl": object{}, "b": object{}}}),
		`GET x/any?help=1`: help(takes, object{"properties": object{"ttl": object{}}, "additionalProperties": true}),
		// KV version 1, as OpenBao 2.6 shows it: it takes any field, and does not say so.
		`GET x/kv?help=1`:    `{"openapi":{"info":{"title":"OpenBao API"},"paths":{"/{path}":{"parameters":[{"name":"path"}],"post":{"operationId":"write-path"}}}}}`,
		`GET x/seal?help=1`:  help(object{"operationId": "seal"}, object{}),
		`GET x/stub?help=1`:  help(object{"operationId": "enterprise-stub-write-x"}, object{}),
		`GET x/none?help=1`:  `404 {"errors":["no handler"]}`,
		`GET x/empty?help=1`: `{}`,
	}.session(t, "hvs.token")
	for path, want := range map[string][]string{"x/a": {"b", "name", "ttl"}, "x/any": nil, "x/kv": nil, "x/seal": {"name"}, "x/none": nil, "x/empty": nil} {
		fields, err := session.Fields(t.Context(), path)
		check(t, err)
		if len(fields) > 0 || len(want) > 0 {
			same(t, path, fields, want)
		}
	}
	if _, err := session.View().Fields(t.Context(), "x/stub"); httpstatus.Of(err) != http.StatusNotFound || !Says(err, product.EnterpriseOnly) {
		t.Errorf("got %v", err)
	}
}

// A reason is sent with every request once it is set.
func TestSetReason(t *testing.T) {
	var reasons []string
	replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
		reasons = append(reasons, r.Header.Get(ReasonHeader))
		w.WriteHeader(http.StatusNoContent)
	})
	cluster, err := New(Config{Addresses: []string{replica.Address()}})
	check(t, err)
	session, err := cluster.Session(replica.Address(), token)
	check(t, err)
	check(t, session.Delete(t.Context(), "a"))
	session.SetReason("audit")
	check(t, session.Delete(t.Context(), "a"))
	same(t, "reasons", reasons, []string{"", "audit"})
}
