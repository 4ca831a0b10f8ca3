package cloud_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/vault-bootstrap/vault-bootstrap/internal/cloud"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func machine(variables map[string]string) cloud.Machine {
	return cloud.Machine{Variable: func(name string) string { return variables[name] }, Now: func() time.Time { return now }}
}

// noAWS has AWS' client find nothing of this machine.
func noAWS(t *testing.T) {
	t.Helper()
	for _, name := range os.Environ() {
		if name, _, _ = strings.Cut(name, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none} {
		t.Setenv(name, value)
	}
}

// request is a signed request as it was handed over.
func request(t *testing.T, credential map[string]secret.Value) *http.Request {
	t.Helper()
	decoded := func(name string) string {
		text, err := base64.StdEncoding.DecodeString(credential[name].Reveal())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if body := decoded("iam_request_body"); body != "Action=GetCallerIdentity&Version=2011-06-15" {
		t.Errorf("it asks %q", body)
	}
	got, err := http.NewRequest(credential["iam_http_request_method"].Reveal(), decoded("iam_request_url"), strings.NewReader(decoded("iam_request_body")))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(decoded("iam_request_headers")), &got.Header); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestAWSCaller compares our request with one that is signed again: another header, key or region
// would give another signature.
func TestAWSCaller(t *testing.T) {
	noAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	t.Setenv("AWS_SESSION_TOKEN", "session")
	for _, test := range []struct{ region, variable, serverID, host, signed string }{
		{"", "", "", "sts.amazonaws.com", "us-east-1"},
		{"", "eu-west-1", "vault.example", "sts.eu-west-1.amazonaws.com", "eu-west-1"},
		{"eu-central-1", "eu-west-1", "", "sts.eu-central-1.amazonaws.com", "eu-central-1"},
		{"cn-north-1", "", "", "sts.cn-north-1.amazonaws.com.cn", "cn-north-1"},
	} {
		credential, err := machine(map[string]string{"AWS_REGION": test.variable}).AWSCaller(t.Context(), test.region, test.serverID)
		if err != nil {
			t.Fatal(err)
		}
		got := request(t, credential)
		again := got.Clone(t.Context())
		again.Header.Del("Authorization")
		const digest = "ab821ae955788b0e33ebd34c208442ccfc2d406e2edc5e7a39bd6458fbb4f843" // of the body
		keys := aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "hunter2", SessionToken: "session"}
		if err := v4.NewSigner().SignHTTP(t.Context(), keys, again, digest, "sts", test.signed, now); err != nil {
			t.Fatal(err)
		}
		if got.Header.Get("Authorization") != again.Header.Get("Authorization") || got.Header.Get("X-Amz-Security-Token") != "session" {
			t.Errorf("%+v is signed as %q, not %q", test, got.Header.Get("Authorization"), again.Header.Get("Authorization"))
		}
		if got.URL.String() != "https://"+test.host+"/" || got.Header.Get("X-Vault-AWS-IAM-Server-ID") != test.serverID {
			t.Errorf("%+v goes to %s with %q", test, got.URL, got.Header.Get("X-Vault-AWS-IAM-Server-ID"))
		}
		if named := strings.Contains(got.Header.Get("Authorization"), "x-vault-aws-iam-server-id"); named != (test.serverID != "") {
			t.Errorf("the server's ID is signed: %v", named)
		}
	}
}

// TestNoAWS has no credential.
func TestNoAWS(t *testing.T) {
	noAWS(t)
	if _, err := machine(nil).AWSCaller(t.Context(), "", ""); !errors.Is(err, cloud.ErrNoIdentity) {
		t.Error(err)
	}
}

// TestTokens asks stubs of metadata servers for access tokens, and names a bad answer without it.
func TestTokens(t *testing.T) {
	answer := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/computeMetadata/v1/instance/service-accounts/default/token" && r.Header.Get("Metadata-Flavor") == "Google":
		case r.URL.Path == "/metadata/identity/oauth2/token" && r.Header.Get("Metadata") == "true" && r.URL.Query().Get("resource") == "https://vault.azure.net":
		default:
			t.Errorf("it is asked %s", r.URL)
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	here := machine(map[string]string{"GCE_METADATA_HOST": strings.TrimPrefix(server.URL, "http://"), "AZURE_POD_IDENTITY_AUTHORITY_HOST": server.URL})
	for name, ask := range map[string]func(context.Context) (secret.Value, error){
		"google": here.GoogleToken,
		"azure": func(ctx context.Context) (secret.Value, error) {
			token, managed, err := here.AzureToken(ctx, "https://vault.azure.net")
			if err == nil && !managed {
				t.Error("it is said to be of a workload")
			}
			return token, err
		},
	} {
		answer = `{"access_token":"hunter2","expires_in":3599,"token_type":"Bearer"}`
		if token, err := ask(t.Context()); err != nil || token.Reveal() != "hunter2" {
			t.Errorf("%s: %v", name, err)
		}
		for _, answer = range []string{`{"token":"hunter2"}`, `hunter2`} {
			if _, err := ask(t.Context()); !errors.Is(err, cloud.ErrNoIdentity) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s, %s: %v", name, answer, err)
			}
		}
	}
}
