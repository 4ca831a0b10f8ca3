package job

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/login"
)

// metadataStub answers as a cloud's metadata server does, and refuses what that would refuse.
func metadataStub(t *testing.T, header, value string, answers map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.URL.Path]
		if r.Header.Get(header) != value || !known {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		for name, want := range map[string]string{"audience": "vault/vb", "resource": "https://management.azure.com/"} {
			if r.URL.Query().Has(name) && r.URL.Query().Get(name) != want {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func cloudLogin(t *testing.T, method string, env map[string]string) login.Identity {
	t.Helper()
	options := &LoginOptions{Methods: []string{method}, Audience: defaultAudience, Principal: "us"}
	chain, err := options.resolve(func(name string) (string, bool) { value, ok := env[name]; return value, ok }, FileStore, "vb", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return chain[0].(login.Identity)
}

// TestGCP asks a stub of the metadata server for the machine's identity.
func TestGCP(t *testing.T) {
	address := metadataStub(t, "Metadata-Flavor", "Google", map[string]string{"/computeMetadata/v1/instance/service-accounts/default/identity": "head.claims.signature\n"})
	identity := cloudLogin(t, "gcp", map[string]string{"GCE_METADATA_HOST": strings.TrimPrefix(address, "http://")})
	credential := reveal(t, identity)
	if credential["jwt"] != "head.claims.signature" || credential["role"] != "vb" || identity.Path() != "gcp/login" {
		t.Errorf("logs in at %s with %v", identity.Path(), credential)
	}
}

// TestAzure asks a stub of the metadata service for the managed identity.
func TestAzure(t *testing.T) {
	address := metadataStub(t, "Metadata", "true", map[string]string{
		"/metadata/identity/oauth2/token": `{"access_token":"azure-token"}`,
		"/metadata/instance":              `{"compute":{"name":"vm-1","vmScaleSetName":"","resourceGroupName":"group","subscriptionId":"sub"}}`,
	})
	credential := reveal(t, cloudLogin(t, "azure", map[string]string{"AZURE_POD_IDENTITY_AUTHORITY_HOST": address + "/"}))
	for name, want := range map[string]string{"jwt": "azure-token", "role": "vb", "vm_name": "vm-1", "resource_group_name": "group", "subscription_id": "sub"} {
		if credential[name] != want {
			t.Errorf("%s is %q, want %q", name, credential[name], want)
		}
	}
}

// entraStub answers as Entra's token endpoint does to a federated token.
func entraStub(t *testing.T, status int, answer string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{
			"grant_type": "client_credentials", "client_id": "us", "client_assertion": "federated", "scope": "https://management.azure.com//.default",
			"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		} {
			if got := r.PostFormValue(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if r.Method != http.MethodPost || r.URL.Path != "/tenant/oauth2/v2.0/token" {
			t.Errorf("asked was %s %s", r.Method, r.URL.Path)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/"
}

func federated(t *testing.T, authority, metadata string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("federated\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"AZURE_FEDERATED_TOKEN_FILE": file, "AZURE_CLIENT_ID": "us", "AZURE_TENANT_ID": "tenant", "AZURE_AUTHORITY_HOST": authority,
		"AZURE_POD_IDENTITY_AUTHORITY_HOST": metadata,
	}
}

// TestAzureWorkloadIdentity exchanges the pod's federated token; the machine is not asked.
func TestAzureWorkloadIdentity(t *testing.T) {
	env := federated(t, entraStub(t, http.StatusOK, `{"token_type":"Bearer","access_token":"exchanged"}`), "http://127.0.0.1:1")
	credential := reveal(t, cloudLogin(t, "azure", env))
	if credential["jwt"] != "exchanged" || credential["role"] != "vb" || len(credential) != 2 {
		t.Errorf("logs in with %v", credential)
	}
}

// TestAzureWasTried has the error say what was tried, and reveal nothing of what was answered.
func TestAzureWasTried(t *testing.T) {
	refused := entraStub(t, http.StatusBadRequest, `{"error":"invalid_client","error_codes":[70021],"error_description":"AADSTS70021: subject system:secret"}`)
	nothing := metadataStub(t, "Metadata", "another", nil)
	for says, env := range map[string]map[string]string{
		"(\"invalid_client\", AADSTS[70021]); managed identity: ":                    federated(t, refused, nothing),
		"Workload Identity: AZURE_FEDERATED_TOKEN_FILE is not set; managed identity": {"AZURE_POD_IDENTITY_AUTHORITY_HOST": nothing},
	} {
		_, err := cloudLogin(t, "azure", env).Credential(t.Context(), store.Keys{})
		if !errors.Is(err, login.ErrNoCredential) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "system:secret") {
			t.Errorf("it says %v, not %q", err, says)
		}
	}
	machine := metadataStub(t, "Metadata", "true", map[string]string{"/metadata/identity/oauth2/token": `{"access_token":"azure-token"}`, "/metadata/instance": `{}`})
	if credential := reveal(t, cloudLogin(t, "azure", federated(t, refused, machine))); credential["jwt"] != "azure-token" {
		t.Errorf("where Entra refuses, the machine is not asked: %v", credential)
	}
}

// TestGCPWithoutMachine says plainly that a token without a machine cannot log in by a gce role.
func TestGCPWithoutMachine(t *testing.T) {
	token := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	for claims, works := range map[string]bool{
		`{"sub":"1","google":{"compute_engine":{"instance_id":"7"}}}`: true,
		`{"sub":"1"}`: false,
	} {
		address := metadataStub(t, "Metadata-Flavor", "Google", map[string]string{"/computeMetadata/v1/instance/service-accounts/default/identity": token(claims)})
		_, err := cloudLogin(t, "gcp", map[string]string{"GCE_METADATA_HOST": strings.TrimPrefix(address, "http://")}).Credential(t.Context(), store.Keys{})
		if works && err != nil || !works && (!errors.Is(err, login.ErrNoCredential) || !strings.Contains(err.Error(), "google.compute_engine")) {
			t.Errorf("%s: %v", claims, err)
		}
	}
}

// TestNoCloud checks that a machine outside the cloud has no credential, so that the next method is
// tried.
func TestNoCloud(t *testing.T) {
	for method, variable := range map[string]string{"gcp": "GCE_METADATA_HOST", "azure": "AZURE_POD_IDENTITY_AUTHORITY_HOST"} {
		address := metadataStub(t, "Metadata", "another", nil)
		if method == "gcp" {
			address = strings.TrimPrefix(address, "http://")
		}
		_, err := cloudLogin(t, method, map[string]string{variable: address}).Credential(t.Context(), store.Keys{})
		if !errors.Is(err, login.ErrNoCredential) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func reveal(t *testing.T, identity login.Identity) map[string]string {
	t.Helper()
	credential, err := identity.Credential(t.Context(), store.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for name, value := range credential {
		shown[name] = value.Reveal()
	}
	return shown
}

// TestLoginMisuse refuses options that cannot log in, before anything is touched.
func TestLoginMisuse(t *testing.T) {
	for says, options := range map[string]LoginOptions{
		"is not one of the methods":    {Methods: []string{"ldap"}},
		"named twice":                  {Methods: []string{"approle", "approle"}},
		"would share the path":         {Methods: []string{"approle", "kubernetes"}, Mount: "x"},
		"does not say who may log in":  {Methods: []string{"aws"}},
		"needs a password":             {Methods: []string{"userpass"}},
		"needs a client certificate":   {Methods: []string{"cert"}},
		"needs a file":                 {Methods: []string{"token-file"}, TokenFile: DefaultTokenFile},
		"reading the token that later": {Methods: []string{"kubernetes"}, TokenFile: "/does/not/exist"},
	} {
		_, err := options.resolve(func(string) (string, bool) { return "", false }, FileStore, "vb", "", nil)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: got %v, want %q", options.Methods, err, says)
		}
	}
	chain := LoginOptions{Methods: []string{"kubernetes", "approle"}, TokenFile: "/does/not/exist"}
	login, err := chain.resolve(func(string) (string, bool) { return "", false }, FileStore, "vb", "", nil)
	if err != nil || login.Name() != "approle" {
		t.Errorf("without a Kubernetes token the login is %v, %v", login, err)
	}
}
