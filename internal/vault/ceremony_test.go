package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// script is a server that answers the requests that it knows, and fails the test on others. A key
// is a method, a path with its query, and the body as JSON; a value is the answer, preceded by its
// status if that is not 200: "404 {}".
type script map[string]string

// play starts the server. Each request must carry token.
func (s script) play(t *testing.T, token string) *Cluster {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key := strings.TrimSpace(fmt.Sprint(r.Method, " ", strings.TrimPrefix(r.URL.String(), "/v1/"), " ", string(bytes.TrimSpace(body))))
		answer, known := s[key]
		if !known {
			t.Errorf("asked was %s", key)
		}
		if got := r.Header.Get("X-Vault-Token"); got != token {
			t.Errorf("%s came with the token %q", key, got)
		}
		code := http.StatusOK
		if _, err := fmt.Sscanf(answer, "%d ", &code); err == nil {
			answer = answer[4:]
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	cluster, err := New(Config{Addresses: []string{server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

func (s script) replica(t *testing.T, token string) *Replica { return s.play(t, token).Replicas()[0] }

func (s script) session(t *testing.T, token string) *Session {
	t.Helper()
	cluster := s.play(t, token)
	session, err := cluster.Session(cluster.Replicas()[0].Address(), secret.New(token))
	check(t, err)
	return session
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

var (
	token = secret.New("hvs.token")
	via   = Endpoints{Token: token}
)

func TestGenerateRoot(t *testing.T) {
	replica := script{
		`GET sys/generate-root/attempt`:                             `{"started":false}`,
		`PUT sys/generate-root/attempt {"pgp_key":"KEY"}`:           `{"started":true,"nonce":"n","required":3,"pgp_fingerprint":"f"}`,
		`PUT sys/generate-root/update {"key":"share","nonce":"n"}`:  `{"started":true,"progress":3,"required":3,"complete":true,"encoded_token":"T"}`,
		`PUT sys/generate-root/update {"key":"share","nonce":"no"}`: `400 {"errors":["supplied nonce does not match"]}`,
		`PUT sys/generate-root/update {"key":"share","nonce":"?"}`:  `hvs.secret`,
		`DELETE sys/generate-root/attempt`:                          `204 `,
	}.replica(t, "hvs.token")
	attempt, err := replica.RootAttempt(t.Context(), via)
	check(t, err)
	same(t, "before", attempt, RootAttempt{})
	attempt, err = replica.BeginRoot(t.Context(), via, "KEY")
	check(t, err)
	same(t, "begun", attempt, RootAttempt{Started: true, Nonce: "n", Required: 3, Fingerprint: "f"})
	attempt, err = replica.GiveRoot(t.Context(), via, "n", secret.New("share"))
	check(t, err)
	same(t, "done", attempt, RootAttempt{Started: true, Progress: 3, Required: 3, Complete: true, Token: "T"})
	if _, err := replica.GiveRoot(t.Context(), via, "no", secret.New("share")); httpstatus.Of(err) != http.StatusBadRequest || !strings.Contains(err.Error(), "does not match") || !Refused(err) {
		t.Errorf("got %v", err)
	}
	if _, err := replica.GiveRoot(t.Context(), via, "?", secret.New("share")); err == nil || strings.Contains(err.Error(), "hvs.secret") {
		t.Errorf("an answer is shown: %v", err)
	}
	check(t, replica.CancelRoot(t.Context(), via))
}

func TestRekey(t *testing.T) {
	begun := `{"started":true,"nonce":"n","required":2,"verification_required":true,"pgp_fingerprints":["a","b"]}`
	replica := script{
		`GET sys/rekey/init`: `{"started":false}`,
		`PUT sys/rekey/init {"pgp_keys":["A","B"],"require_verification":true,"secret_shares":2,"secret_threshold":2}`:              begun,
		`PUT sys/rekey-recovery-key/init {"pgp_keys":["A","B"],"require_verification":true,"secret_shares":2,"secret_threshold":1}`: begun,
		`PUT sys/rekey/update {"key":"s","nonce":"n"}`:    `{"complete":true,"verification_nonce":"v","keys_base64":["x","y"]}`,
		`PUT sys/rekey/update {"key":"s","nonce":"half"}`: `{"complete":true,"keys_base64":["x",""]}`,
		`PUT sys/rekey/verify {"key":"s","nonce":"v"}`:    `{"complete":true}`,
		`DELETE sys/rekey/init {"nonce":"n"}`:             `400 {"errors":["invalid request"]}`,
	}.replica(t, "hvs.token")
	status, err := replica.Rekey(t.Context(), false, via)
	check(t, err)
	same(t, "before", status, RekeyStatus{})
	for recovery, threshold := range map[bool]int{false: 0, true: 1} { // none means all
		status, err = replica.BeginRekey(t.Context(), recovery, via, RekeyRequest{ShareKeys: []string{"A", "B"}, Threshold: threshold})
		check(t, err)
		same(t, "begun", status, RekeyStatus{Started: true, Nonce: "n", Required: 2, Verification: true, Fingerprints: []string{"a", "b"}})
	}
	status, err = replica.GiveRekey(t.Context(), false, via, "n", secret.New("s"))
	check(t, err)
	same(t, "given", status, RekeyStatus{Complete: true, VerificationNonce: "v", Shares: []string{"x", "y"}})
	if _, err := replica.GiveRekey(t.Context(), false, via, "half", secret.New("s")); err == nil || !strings.Contains(err.Error(), "share 2 of the answer is empty") {
		t.Errorf("got %v", err)
	}
	status, err = replica.VerifyRekey(t.Context(), false, via, "v", secret.New("s"))
	check(t, err)
	same(t, "verified", status, RekeyStatus{Complete: true})
	if err := replica.CancelRekey(t.Context(), false, via, "n"); httpstatus.Of(err) != http.StatusBadRequest {
		t.Errorf("got %v", err)
	}
}

// TestAuthenticatedEndpoints uses those of OpenBao 2.6, whose answers are in an envelope.
func TestAuthenticatedEndpoints(t *testing.T) {
	replica := script{
		`GET sys/generate-root-token/attempt`:                            `{"data":{"started":false,"required":3}}`,
		`PUT sys/generate-root-token/attempt {"pgp_key":"KEY"}`:          `{"data":{"started":true,"nonce":"n","required":3,"pgp_fingerprint":"f"}}`,
		`PUT sys/generate-root-token/update {"key":"share","nonce":"n"}`: `{"data":{"complete":true,"encoded_token":"T"}}`,
		`DELETE sys/generate-root-token/attempt`:                         `204 `,
		`GET sys/rotate/root/init`:                                       `{"data":{"started":false,"n":0,"t":0,"required":3}}`,
		`PUT sys/rotate/recovery/update {"key":"s","nonce":"n"}`:         `{"data":{"complete":true,"verification_nonce":"v","keys_base64":["x","y"]}}`,
		`PUT sys/rotate/root/verify {"key":"s","nonce":"v"}`:             `{"data":{"complete":true,"nonce":"v"}}`,
		`DELETE sys/rotate/root/init {"nonce":"n"}`:                      `204 `,
		`PUT sys/rotate/root/update {"key":"s","nonce":"n"}`:             `hvs.secret`,
	}.replica(t, "hvs.token")
	via := Endpoints{Token: token, Authenticated: true}
	attempt, err := replica.RootAttempt(t.Context(), via)
	check(t, err)
	same(t, "before", attempt, RootAttempt{Required: 3})
	attempt, err = replica.BeginRoot(t.Context(), via, "KEY")
	check(t, err)
	same(t, "begun", attempt, RootAttempt{Started: true, Nonce: "n", Required: 3, Fingerprint: "f"})
	attempt, err = replica.GiveRoot(t.Context(), via, "n", secret.New("share"))
	check(t, err)
	same(t, "done", attempt, RootAttempt{Complete: true, Token: "T"})
	check(t, replica.CancelRoot(t.Context(), via))
	status, err := replica.Rekey(t.Context(), false, via)
	check(t, err)
	same(t, "no rekey", status, RekeyStatus{Required: 3})
	status, err = replica.GiveRekey(t.Context(), true, via, "n", secret.New("s"))
	check(t, err)
	same(t, "given", status, RekeyStatus{Complete: true, VerificationNonce: "v", Shares: []string{"x", "y"}})
	status, err = replica.VerifyRekey(t.Context(), false, via, "v", secret.New("s"))
	check(t, err)
	same(t, "verified", status, RekeyStatus{Complete: true, Nonce: "v"})
	check(t, replica.CancelRekey(t.Context(), false, via, "n"))
	if _, err := replica.GiveRekey(t.Context(), false, via, "n", secret.New("s")); err == nil || strings.Contains(err.Error(), "hvs.secret") {
		t.Errorf("an answer is shown: %v", err)
	}
}

func TestInitializeAndUnseal(t *testing.T) {
	replica := script{
		`PUT sys/init {"pgp_keys":["A"],"root_token_pgp_key":"R","secret_shares":1,"secret_threshold":1}`:              `{"keys_base64":["a"],"root_token":"r"}`,
		`PUT sys/init {"recovery_pgp_keys":["A"],"recovery_shares":1,"recovery_threshold":1,"root_token_pgp_key":"R"}`: `{"keys_base64":[],"recovery_keys_base64":["b"],"root_token":"r"}`,
		`PUT sys/init {"pgp_keys":null,"root_token_pgp_key":"","secret_shares":2,"secret_threshold":1}`:                `{"keys_base64":["a"],"root_token":"r"}`,
		`PUT sys/unseal {"key":"s"}`:    `{"sealed":true,"progress":1}`,
		`PUT sys/unseal {"reset":true}`: `{"sealed":true}`,
		`GET sys/seal-status`:           `{"type":"shamir","initialized":true,"n":5,"t":3}`,
		`GET sys/leader`:                `{"leader_address":"https://vault-0:8200"}`,
	}.replica(t, "")
	for recovery, share := range map[bool]string{false: "a", true: "b"} {
		answer, err := replica.Initialize(t.Context(), InitRequest{Shares: 1, Threshold: 1, Recovery: recovery, ShareKeys: []string{"A"}, RootKey: "R"})
		check(t, err)
		same(t, "answer", answer, InitAnswer{Shares: []string{share}, Root: "r"})
	}
	if _, err := replica.Initialize(t.Context(), InitRequest{Shares: 2, Threshold: 1}); err == nil || !strings.Contains(err.Error(), "1 shares instead of 2") {
		t.Errorf("got %v", err)
	}
	status, err := replica.Unseal(t.Context(), secret.New("s"))
	check(t, err)
	same(t, "progress", status.Progress, 1)
	status, err = replica.ResetUnseal(t.Context())
	check(t, err)
	same(t, "reset", status, SealStatus{Sealed: true})
	status, err = replica.SealStatus(t.Context())
	check(t, err)
	same(t, "seal", status, SealStatus{Type: "shamir", Initialized: true, Shares: 5, Threshold: 3})
	leader, err := replica.Leader(t.Context())
	check(t, err)
	same(t, "leader", leader, "https://vault-0:8200")
}

func TestJoin(t *testing.T) {
	joins := script{
		`POST sys/storage/raft/join {"leader_api_addr":"https://a"}`:                                                        `{"joined":true}`,
		`POST sys/storage/raft/join {"leader_api_addr":"https://a","leader_ca_cert":"PEM","leader_tls_servername":"vault"}`: `{"joined":true}`,
		`POST sys/storage/raft/join {}`: `{"joined":false}`,
		`GET sys/leader`:                `{"leader_address":""}`,
	}
	replica := joins.replica(t, "")
	check(t, replica.Join(t.Context(), "https://a"))
	if err := replica.Join(t.Context(), ""); err == nil {
		t.Error("a server that has not joined says so")
	}
	if _, err := replica.Leader(t.Context()); !errors.Is(err, ErrNoLeader) {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	replica.trust = trust{file: file, name: "vault"}
	if err := replica.Join(t.Context(), "https://a"); err == nil || !strings.Contains(err.Error(), "CA's certificate") {
		t.Errorf("without the CA's file: %v", err)
	}
	check(t, os.WriteFile(file, []byte("PEM"), 0o600))
	check(t, replica.Join(t.Context(), "https://a"))
	replica.trust = trust{content: "PEM", name: "vault"}
	check(t, replica.Join(t.Context(), "https://a"))
}

func TestGlimpse(t *testing.T) {
	replica := script{`GET sys/metrics`: `403 {"errors":["permission denied"]}`, `GET sys/leader`: `500 {"errors":["no"]}`}.replica(t, "")
	glimpse, err := replica.Glimpse(t.Context(), "sys/metrics")
	check(t, err)
	same(t, "glimpse", glimpse, Glimpse{Code: http.StatusForbidden})
	if _, err := replica.Leader(t.Context()); httpstatus.Of(err) != http.StatusInternalServerError {
		t.Errorf("got %v", err)
	}
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	cluster, err := New(Config{Addresses: []string{server.URL}, SkipVerify: true})
	check(t, err)
	glimpse, err = cluster.Replicas()[0].Glimpse(t.Context(), "sys/metrics")
	check(t, err)
	if !glimpse.TLS || !glimpse.CertificateEnds.Equal(server.Certificate().NotAfter) {
		t.Errorf("got %+v", glimpse)
	}
	server.Close()
	if _, err := cluster.Replicas()[0].Glimpse(t.Context(), "sys/metrics"); err == nil {
		t.Error("a server that is away shows something")
	}
}

// compact returns JSON without white space, as in our requests.
func compact(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	check(t, err)
	return string(text)
}
