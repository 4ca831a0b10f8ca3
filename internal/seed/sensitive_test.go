package seed_test

import (
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/reconcile"
)

// TestNoSecretIsShown plans fields that hold a secret, by name or within a URL.
func TestNoSecretIsShown(t *testing.T) {
	for field, secret := range map[string]bool{
		"pem_bundle: TOP-SECRET":                                               true,
		"pem_json: TOP-SECRET":                                                 true,
		"tls_certificate_key: TOP-SECRET":                                      true,
		"service_account_jwt: TOP-SECRET":                                      true,
		"service_account_json: TOP-SECRET":                                     true,
		"client_key: TOP-SECRET":                                               true,
		"backup: TOP-SECRET":                                                   true,
		"connection_url: 'postgresql://root:TOP-SECRET@db.svc:5432/app'":       true,
		"connection_url: 'mongodb://TOP:SECRET-TOP-SECRET@db1,db2/admin'":      true,
		"connection_url: 'root:TOP-SECRET@tcp(db:3306)/'":                      true,
		"connection_url: 'root/TOP-SECRET@//db:1521/app'":                      true,
		"connection_url: 'sqlserver://db:1433?user id=sa;password=TOP-SECRET'": true,
		"connection_url: 'host=db user=root password=TOP-SECRET'":              true,
		"connection_url: 'postgresql://{{username}}:TOP-SECRET@db/app'":        true,
		"http_proxy: 'http://me:TOP-SECRET@proxy:3128'":                        true,

		"connection_url: 'postgresql://{{username}}:{{password}}@TOP-SECRET/app'":           false,
		"connection_url: '{{username}}:{{password}}@tcp(TOP-SECRET:3306)/'":                 false,
		"connection_url: '{{username}}/{{password}}@//TOP-SECRET:1521/app'":                 false,
		"connection_url: 'sqlserver://{{username}}:{{password}}@TOP-SECRET:1433?a=b'":       false,
		"connection_url: 'host=TOP-SECRET password={{.Password}}'":                          false,
		"connection_url: 'postgresql://TOP-SECRET:5432/app?application_name=a@b'":           false,
		"username_template: '{{.DisplayName}}@TOP-SECRET'":                                  false,
		"bound_subject: 'system:serviceaccount:TOP-SECRET:a'":                               false,
		"creation_statements: \"CREATE ROLE x WITH PASSWORD '{{password}}' -- TOP-SECRET\"": false,
		"address: 'https://TOP-SECRET:8200'":                                                false,
	} {
		path := write(t, "s.yaml", "secrets:\n- type: database\n  configuration:\n    config:\n    - {name: a, "+strings.ReplaceAll(field, "\n", " ")+"}\n")
		p := plan(t, &world{}, desired(t, path, seed.Resolver{}), reconcile.Memory{})
		var text, json strings.Builder
		if err := p.Print(&text); err != nil {
			t.Fatal(err)
		}
		if err := p.PrintJSON(&json); err != nil {
			t.Fatal(err)
		}
		for form, shown := range map[string]string{"text": text.String(), "JSON": json.String()} {
			if strings.Contains(shown, "TOP-SECRET") == secret {
				t.Errorf("%s: secret is %v, and the plan as %s shows:\n%s", field, secret, form, shown)
			}
		}
	}
}
