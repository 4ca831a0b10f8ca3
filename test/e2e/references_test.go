package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// referring is a seed whose values stand in a Secret and in a ConfigMap.
const referring = `
policies:
  - name: referring
    rules: 'path "referred/data/app" { capabilities = ["read"] }'
auth:
  - type: userpass
    path: people
    users:
      - username: grace
        password: {valueFrom: {secretKeyRef: {name: grace, key: password}}}
        token_policies: [referring]
secrets:
  - type: kv
    path: referred
    options: {version: 2}
secretsOnce:
  - path: referred/app
    data: {region: '${ configMapKeyRef "site" "region" }'}
`

// TestReferencesToKubernetes lacks one thing at a time that the seed refers to, and then
// has it all.
func TestReferencesToKubernetes(t *testing.T) {
	cluster := testbed.VaultFor(t, testbed.VaultOptions{})
	proxy := testbed.HTTPProxyFor(t, cluster.Nodes[0].Addr)
	requests := proxy.Inject(testbed.Fault{Path: "*"})
	p, namespace, _ := inKubernetes(t, nil, "--vault-addr="+proxy.URL)
	file := filepath.Join(t.TempDir(), "referring.yaml")
	write(t, file, referring)
	p.flags = append(p.flags, "--seed="+file)
	first, second := "first-"+"secret-of-grace", "second-"+"secret-of-grace"
	testbed.NoteSecrets(t, first, second)

	const password, region = "referring.yaml:10:", "referring.yaml:18:"
	allow := func(kind, name string) {
		kubectl(t, "create", "role", "refer-"+name, "-n", namespace, "--verb=get", "--resource="+kind, "--resource-name="+name)
		kubectl(t, "create", "rolebinding", "refer-"+name, "-n", namespace, "--role=refer-"+name, "--serviceaccount="+namespace+":vault-bootstrap")
	}
	for _, step := range []struct {
		name string
		says []string
		mend func()
	}{
		{"nothing is allowed", []string{password, region, `resourceNames:`, "secrets", "configmaps", "grace", "site", "rules of a Role"}, func() { allow("secrets", "grace"); allow("configmaps", "site") }},
		{"nothing is there", []string{password, region, "there is no Secret", "there is no ConfigMap"}, func() {
			kubectl(t, "create", "secret", "generic", "grace", "-n", namespace, "--from-literal=other="+first)
			kubectl(t, "create", "configmap", "site", "-n", namespace, "--from-literal=other=here")
		}},
		{"no such key", []string{password, region, "Secret", "ConfigMap", "has no key"}, func() {
			setSecret(t, namespace, "grace", first)
			kubectl(t, "patch", "configmap", "site", "-n", namespace, `-p={"data":{"region":"north-7"}}`)
		}},
	} {
		t.Run(step.name, func(t *testing.T) {
			in := *p
			in.t = t
			r := in.run("run")
			wantFailure(t, r, 65, step.says...)
			if strings.Contains(r.Stderr+r.Stdout, first) {
				t.Error("the error shows a value")
			}
		})
		step.mend()
	}
	if got := requests(); got != 0 {
		t.Errorf("Vault got %d requests", got)
	}
	wantUninitialized(t, cluster)

	p.must(0, "run")
	logIn := func(password string) (string, error) {
		var out struct {
			Auth struct {
				ClientToken string `json:"client_token"`
			}
		}
		err := cluster.Nodes[0].Call(t.Context(), http.MethodPost, "auth/people/login/grace", "", map[string]any{"password": password}, &out)
		return out.Auth.ClientToken, err
	}
	token, err := logIn(first)
	if err != nil {
		t.Fatalf("the Secret's value is not the password: %v", err)
	}
	var app struct {
		Data struct{ Data map[string]string }
	}
	if err := cluster.Nodes[0].Call(t.Context(), http.MethodGet, "referred/data/app", token, nil, &app); err != nil || app.Data.Data["region"] != "north-7" {
		t.Errorf("Vault holds %v, %v; want the ConfigMap's value", app.Data.Data, err)
	}

	setSecret(t, namespace, "grace", second)
	wantEvents(t, "after the Secret changed", p.must(0, "run").Events(), "drift", "seed")
	if _, err := logIn(second); err != nil {
		t.Errorf("the Secret's new value is not the password: %v", err)
	}
	if _, err := logIn(first); err == nil {
		t.Error("the Secret's old value still is the password")
	}
}

// setSecret sets the password in a Secret.
func setSecret(t *testing.T, namespace, name, password string) {
	t.Helper()
	kubectl(t, "patch", "secret", name, "-n", namespace, fmt.Sprintf(`-p={"stringData":{"password":%q}}`, password))
}
