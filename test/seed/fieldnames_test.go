package seed_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/fields"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
	"github.com/vault-bootstrap/vault-bootstrap/test/fitting"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestTabulatedNamesAreAsked holds that the table has the names that a run is given when it asks the
// server about an endpoint before it writes there.
func TestTabulatedNamesAreAsked(t *testing.T) {
	b := start(t)
	table, product := currentTable(t)
	engines := b.mountTabulated(t)
	session := b.as(t, b.root)
	asked := 0
	for _, e := range table.Endpoints {
		var known []string
		for _, f := range e.Fields {
			if f.Columns[product].Kind != fields.None {
				known = append(known, f.Name)
			}
		}
		if len(known) == 0 || !slices.Contains(engines, e.Engine) {
			continue
		}
		path := mountOf(e.Engine) + "/" + strings.ReplaceAll(e.Path, "+", "tried")
		answer, err := session.Fields(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		asked++
		for _, name := range answer {
			if !slices.Contains(known, name) {
				t.Errorf("the table does not have %s of %s %s", name, e.Engine, e.Path)
			}
		}
		for _, name := range known {
			if len(answer) > 0 && !slices.Contains(answer, name) {
				t.Errorf("the server does not have %s of %s %s", name, e.Engine, e.Path)
			}
		}
	}
	if asked < 100 {
		t.Errorf("only %d endpoints were asked about", asked)
	}
}

// misspelt is a seed with a misspelt field in each engine of the table.
const misspelt = `auth:
  - type: kubernetes
    roles: [{name: r, audience: vault, bound_service_account_name: [a]}]
  - type: jwt
    roles: [{name: r, role_type: jwt, bound_audience: [a]}]
  - type: oidc
    config: {oidc_discovery: https://issuer.example}
  - type: approle
    roles: [{name: r, token_bound_cidr: [10.0.0.0/8]}]
  - type: userpass
    users: [{username: u, password: of-the-suite, token_policy: [default]}]
  - type: ldap
    config: {url: ldap://ldap.example, user_dn: ou=people}
  - type: aws
    roles: [{name: r, auth_type: iam, bound_iam_principal_arns: [a]}]
  - type: azure
    config: {tenant: a}
  - type: gcp
    roles: [{name: r, type: iam, bound_project: [a]}]
  - type: github
    config: {organisation: a}
  - type: okta
    config: {organisation: a}
  - type: cert
    roles: [{name: r, allowed_common_name: [a]}]
secrets:
  - type: kv
    options: {version: 2}
    configuration: {config: {max_version: 5}}
  - type: pki
    configuration: {roles: [{name: r, allowed_domain: [example.org]}]}
  - type: database
    configuration: {roles: [{name: r, db_nam: d}]}
  - type: transit
    configuration: {keys: [{name: k, auto_rotation_period: 1h}]}
  - type: ssh
    configuration: {roles: [{name: r, key_type: otp, cidr_lists: 10.0.0.0/8}]}
  - type: aws
    path: aws-secrets
    configuration: {roles: [{name: r, credential_types: iam_user}]}
  - type: kubernetes
    path: kubernetes-secrets
    configuration: {roles: [{name: r, allowed_kubernetes_namespace: [a]}]}
  - type: totp
    configuration: {keys: [{name: k, generates: true}]}
tokens:
  roles: [{name: r, renewabel: true}]
`

// TestMisspeltFieldsAreNamedWithoutAServer holds that what is said of a misspelt field when a seed is
// read is what the plan says when the server was asked.
func TestMisspeltFieldsAreNamedWithoutAServer(t *testing.T) {
	b := start(t)
	text := fitting.Seed(t, misspelt)
	declared := parse(t, text)
	warned := map[string]bool{}
	for _, warning := range declared.Warnings() {
		before, question, found := strings.Cut(warning.Text, " the field ")
		if !found || !strings.Contains(question, "; did you mean ") {
			t.Errorf("it is said %s", warning)
		}
		object, _, _ := strings.Cut(before, ":")
		warned[object] = true
	}
	objects := b.resolve(t, declared)
	for _, o := range objects { // what is below them can be asked about then
		if o.IsMount() {
			b.call(t, http.MethodPut, string(o.ID), o.Data)
		}
	}
	planned := b.plan(t, objects)
	below := 0
	for _, c := range planned.Changes {
		if c.Object.IsMount() {
			continue
		}
		below++
		if len(c.Unknown) != 1 || !warned[c.Object.ID.String()] {
			t.Errorf("%s: the server does not have %v, and without it is said so: %v", c.Object.ID, c.Unknown, warned[c.Object.ID.String()])
		}
	}
	if below != len(warned) || below < 13 {
		t.Errorf("%d objects are planned, of %d something is said", below, len(warned))
	}
}

// TestWordsAndAddressesAreRefused holds that a server refuses the words and addresses that are an error
// when a seed is read, and takes the object with another one.
func TestWordsAndAddressesAreRefused(t *testing.T) {
	b := start(t)
	table, _ := currentTable(t)
	engines := b.mountTabulated(t)
	pod := m{"bound_service_account_names": "a", "bound_service_account_namespaces": "a"}
	claims := m{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "a"}
	otp := m{"key_type": "otp", "default_user": "a"}
	for _, test := range []struct {
		engine, path string
		base         m
		field        string
		bad, good    any
	}{
		{"auth/approle", "role/a", m{}, "token_type", "bach", "batch"},
		{"auth/approle", "role/a", m{}, "token_type", "Batch", "default"},
		{"auth/token", "roles/a", m{}, "token_type", "default", "default-service"},
		{"auth/jwt", "role/a", claims, "role_type", "saml", "jwt"},
		{"auth/kubernetes", "role/a", pod, "alias_name_source", "name", "serviceaccount_name"},
		{"auth/ldap", "config", m{"url": "ldap://ldap.example"}, "tls_min_version", "1.2", "tls12"},
		{"auth/ldap", "config", m{"url": "ldap://ldap.example"}, "tls_max_version", "1.3", "tls13"},
		{"auth/aws", "role/a", m{"bound_ami_id": "ami-a"}, "auth_type", "role", "ec2"},
		{"ssh", "roles/a", otp, "key_type", "dynamic", "otp"},
		{"ssh", "roles/a", otp, "cidr_list", "nowhere", "10.0.0.0/8"},
		{"ssh", "roles/a", otp, "exclude_cidr_list", "10.0.0.0/99", "10.0.0.0/8"},
		{"auth/approle", "role/b", m{}, "secret_id_bound_cidrs", "10.0.0.1", "10.0.0.1/32"},
		{"auth/approle", "role/b", m{}, "bound_cidr_list", []any{"10.0.0/8"}, []any{"10.0.0.0/8"}},
		{"auth/approle", "role/b", m{}, "token_bound_cidrs", "10.0.0.256", "10.0.0.255"},
		{"auth/kubernetes", "role/b", pod, "bound_cidrs", "nowhere", "::1"},
		{"auth/jwt", "role/b", claims, "token_bound_cidrs", []any{"10.0.0.1", "fe80::zz"}, []any{"10.0.0.1"}},
		{"auth/token", "roles/b", m{}, "token_bound_cidrs", "12345", "/run/socket"},
	} {
		if !slices.Contains(engines, test.engine) {
			continue
		}
		for v, wanted := range map[*any]bool{&test.bad: false, &test.good: true} {
			refused, _ := judged(table, test.engine, below(test.engine, test.path, test.field, *v))
			if (len(refused) == 0) != wanted {
				t.Errorf("%s %s = %v: without a server it is said %v", test.engine, test.field, *v, refused)
			}
			data := value.Merged(test.base, m{test.field: *v})
			err := b.Call(t.Context(), http.MethodPut, mountOf(test.engine)+"/"+test.path, b.root, data, nil)
			if _, answered := errors.AsType[*testbed.VaultError](err); (err == nil) != wanted || !wanted && !answered {
				t.Errorf("%s %s = %v: the server says %v", test.engine, test.field, *v, err)
			}
		}
	}
	for setting, bad := range map[string]any{"listing_visibility": "shown", "token_type": "default", "user_lockout_config": m{"lockout_threshold": "many"}} {
		if err := b.Call(t.Context(), http.MethodPut, "sys/"+mountOf("auth/approle")+"/tune", b.root, m{setting: bad}, nil); err == nil {
			t.Error(fmt.Sprint("the server takes the setting ", setting, " = ", bad))
		}
	}
}
