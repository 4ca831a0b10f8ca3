package vault

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// answering starts a server that gives one answer to everything, for what a real Vault does not do
// on command: Enterprise's codes, a load balancer's page, a truncated answer.
func answering(t *testing.T, handler http.HandlerFunc) *Replica {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cluster, err := New(Config{Addresses: []string{server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	return cluster.Replicas()[0]
}

func TestHealthKeepsEveryCode(t *testing.T) {
	for _, code := range []int{200, 429, 472, 473, 474, 501, 503, 530} {
		calls := 0
		replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
			calls++
			w.WriteHeader(code)
			_, _ = w.Write([]byte(`{"initialized":true,"sealed":false,"cluster_id":"c","version":"1.21.1+ent","server_time_utc":1}`))
		})
		health, err := replica.Health(t.Context())
		if err != nil {
			t.Errorf("%d: %v", code, err)
			continue
		}
		if health.Code != code || health.ClusterID != "c" || health.Product.String() != "Vault 1.21.1+ent" {
			t.Errorf("%d: got %+v", code, health)
		}
		if calls != 1 {
			t.Errorf("%d: asked %d times", code, calls)
		}
	}
}

func TestHealthOfSomethingElse(t *testing.T) {
	for name, body := range map[string]string{
		"a load balancer's page": "<html><body>503 Service Unavailable</body></html>",
		"other JSON":             `{"status":"down"}`,
		"nothing":                "",
	} {
		replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(body))
		})
		if health, err := replica.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "not Vault's") {
			t.Errorf("%s: got %+v, %v", name, health, err)
		}
	}
}

func TestInitializeIsSentOnce(t *testing.T) {
	for _, code := range []int{500, 502, 503, 429, 412} {
		calls := 0
		replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
			calls++
			w.WriteHeader(code)
			_, _ = w.Write([]byte(`{"errors":["no"]}`))
		})
		_, err := replica.Initialize(t.Context(), InitRequest{Shares: 1, Threshold: 1})
		if httpstatus.Of(err) != code {
			t.Errorf("%d: got %v", code, err)
		}
		if calls != 1 {
			t.Errorf("%d: sys/init was sent %d times", code, calls)
		}
	}
}

func TestAnswerCutShort(t *testing.T) {
	replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"keys_base64":["c2VjcmV0LXNoYXJl"],"root_`))
	})
	_, err := replica.Initialize(t.Context(), InitRequest{Shares: 1, Threshold: 1})
	if err == nil {
		t.Fatal("half an answer was taken")
	}
	if strings.Contains(err.Error(), "c2VjcmV0LXNoYXJl") {
		t.Errorf("the error shows a share: %v", err)
	}
}

func TestSessionRepeatsWhatMayPass(t *testing.T) {
	calls := 0
	replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		if calls < 3 {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"errors":["local node not active but active cluster node not found"]}`))
			return
		}
		_, _ = w.Write([]byte(`{"data":{"keys":["a"]}}`))
	})
	cluster := &Cluster{replicas: []*Replica{replica}, config: Config{Timeout: DefaultTimeout}}
	session, err := cluster.Session(replica.Address(), secret.New("t"))
	if err != nil {
		t.Fatal(err)
	}
	names, found, err := session.List(t.Context(), "x")
	if err != nil || !found || len(names) != 1 || calls != 3 {
		t.Errorf("got %v, %v, %v after %d calls", names, found, err, calls)
	}
}

func TestSessionGivesUpOnRefusals(t *testing.T) {
	calls := 0
	replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"errors":["permission denied"]}`))
	})
	cluster := &Cluster{replicas: []*Replica{replica}, config: Config{Timeout: DefaultTimeout}}
	session, err := cluster.Session(replica.Address(), secret.New("t"))
	if err != nil {
		t.Fatal(err)
	}
	dead, err := session.Dead(t.Context())
	if !dead || err != nil || calls != 1 {
		t.Errorf("Dead = %v, %v after %d calls", dead, err, calls)
	}
	_, err = session.Write(t.Context(), "x", nil)
	if answer := (*Answer)(nil); !errors.As(err, &answer) || !Refused(err) {
		t.Errorf("got %v", err)
	}
}

// TestNoTokenIsSentBeforeLogin holds that a person's VAULT_TOKEN is not used.
func TestNoTokenIsSentBeforeLogin(t *testing.T) {
	t.Setenv("VAULT_TOKEN", "hvs.somebodys-own")
	t.Setenv("VAULT_NAMESPACE", "theirs")
	replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if token, namespace := r.Header.Get("X-Vault-Token"), r.Header.Get("X-Vault-Namespace"); token != "" || namespace != "" {
			t.Errorf("sent the token %q and the namespace %q", token, namespace)
		}
		_, _ = w.Write([]byte(`{"initialized":true,"sealed":true}`))
	})
	if _, err := replica.SealStatus(t.Context()); err != nil {
		t.Error(err)
	}
	cluster := &Cluster{replicas: []*Replica{replica}, config: Config{Timeout: DefaultTimeout}}
	session, err := cluster.Session(replica.Address(), secret.Value{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := session.Read(t.Context(), "x"); err != nil {
		t.Error(err)
	}
}

// TestGuardStopsEveryRequest holds that nothing is sent once the guard refuses.
func TestGuardStopsEveryRequest(t *testing.T) {
	calls := 0
	replica := answering(t, func(w http.ResponseWriter, r *http.Request) { calls++ })
	cluster := &Cluster{config: Config{Timeout: DefaultTimeout}}
	replica.guard = &cluster.guard
	cluster.replicas = []*Replica{replica}
	session, err := cluster.Session(replica.Address(), secret.New("t"))
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("the lease was lost")
	cluster.Guard(func() error { return lost })
	_, healthErr := replica.Health(t.Context())
	_, initErr := replica.Initialize(t.Context(), InitRequest{Shares: 1, Threshold: 1})
	_, unsealErr := replica.Unseal(t.Context(), secret.New("s"))
	_, _, readErr := session.Read(t.Context(), "x")
	_, loginErr := cluster.Login(t.Context(), replica.Address(), "approle/login", nil)
	for i, err := range []error{healthErr, initErr, unsealErr, readErr, loginErr, session.RevokeSelf(t.Context())} {
		if !errors.Is(err, lost) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if calls != 0 {
		t.Errorf("%d requests were sent", calls)
	}
}

// TestDeleteTakesParameters holds that a path may end in a query, as when it is read.
func TestDeleteTakesParameters(t *testing.T) {
	var got string
	replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.Path + " " + r.URL.Query().Get("version")
		w.WriteHeader(http.StatusNoContent)
	})
	cluster := &Cluster{replicas: []*Replica{replica}, config: Config{Timeout: DefaultTimeout}}
	session, err := cluster.Session(replica.Address(), secret.New("t"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"sys/plugins/catalog/secret/x?version=1.0.0%2Bfix": "DELETE /v1/sys/plugins/catalog/secret/x 1.0.0+fix",
		"sys/policies/acl/a": "DELETE /v1/sys/policies/acl/a ",
	} {
		if err := session.Delete(t.Context(), path); err != nil || got != want {
			t.Errorf("%s: sent %q, want %q: %v", path, got, want, err)
		}
	}
}

// TestSessionKeepsPaths holds that special characters in names reach Vault unchanged.
func TestSessionKeepsPaths(t *testing.T) {
	var seen []string
	replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path+" "+r.URL.RawQuery)
		_, _ = w.Write([]byte(`{"request_id":"r","data":{"a":"b"}}`))
	})
	cluster := &Cluster{replicas: []*Replica{replica}, config: Config{Timeout: DefaultTimeout}}
	session, err := cluster.Session(replica.Address(), secret.New("t"))
	if err != nil {
		t.Fatal(err)
	}
	const path = "auth/ldap/groups/a/b c+d*e#f%2Fg&h"
	if _, _, err := session.Read(t.Context(), path); err != nil {
		t.Error(err)
	}
	if _, _, err := session.Put(t.Context(), path, nil); err != nil {
		t.Error(err)
	}
	if err := session.Delete(t.Context(), path); err != nil {
		t.Error(err)
	}
	if _, err := session.Fields(t.Context(), path); err != nil {
		t.Error(err)
	}
	want := []string{"GET /v1/" + path + " ", "PUT /v1/" + path + " ", "DELETE /v1/" + path + " ", "GET /v1/" + path + " help=1"}
	if !slices.Equal(seen, want) {
		t.Errorf("got %q, want %q", seen, want)
	}
}

// TestProductTakesAThirdMark: where the two marks of sys/health disagree, sys/seal-status decides.
func TestProductTakesAThirdMark(t *testing.T) {
	for name, test := range map[string]struct {
		health, seal string
		want         string
		asked        int
	}{
		"both agree":              {`"version":"2.0.4","enterprise":false,"clock_skew_ms":0`, "", "Vault 2.0.4", 0},
		"none":                    {`"version":"2.6.2"`, "", "OpenBao 2.6.2", 0},
		"one, and build_date":     {`"version":"2.1.0","enterprise":false`, `{"build_date":""}`, "Vault 2.1.0", 1},
		"one, and commit_date":    {`"version":"2.8.0","enterprise":false`, `{"commit_date":""}`, "OpenBao 2.8.0", 1},
		"one, and no seal-status": {`"version":"2.8.0","enterprise":false`, "", "Vault or OpenBao 2.8.0", 1},
		"no version":              {`"enterprise":false`, "", "", 0},
	} {
		asked := 0
		replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/v1/sys/health":
				_, _ = w.Write([]byte(`{"initialized":true,"sealed":false,` + test.health + `}`))
			case test.seal == "":
				asked++
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				asked++
				_, _ = w.Write([]byte(test.seal))
			}
		})
		health, err := replica.Health(t.Context())
		if err != nil || health.Product.String() != test.want || asked != test.asked {
			t.Errorf("%s: %q, %v, sys/seal-status was asked %d times", name, health.Product, err, asked)
		}
	}
}

func TestSealStatusShowsTheProduct(t *testing.T) {
	replica := answering(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"type":"shamir","sealed":true,"t":3,"version":"2.6.2","commit_date":""}`))
	})
	status, err := replica.SealStatus(t.Context())
	if err != nil || status.Product.String() != "OpenBao 2.6.2" || !status.Sealed || status.Threshold != 3 {
		t.Errorf("got %+v, %v", status, err)
	}
}
