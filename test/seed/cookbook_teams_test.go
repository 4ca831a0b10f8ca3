package seed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// slowly gives the engine of one team a limit that a test exceeds with a few requests.
func slowly(*testing.T, *bed) []string {
	return []string{"path: red/\n      rate: 100", "path: red/\n      rate: 5"}
}

// useTeams has people of each team hand out a login, and their applications use it.
func useTeams(t *testing.T, b *bed) {
	applications := map[string]string{}
	for _, team := range []string{"red", "blue"} {
		b.call(t, http.MethodPost, team+"/data/database", m{"data": m{"password": team}})
		people := b.carrying(t, team+"-people")
		id, err := (api{b.VaultNode, people}).do(t.Context(), http.MethodGet, "auth/apps/role/"+team+"/role-id", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (api{b.VaultNode, people}).Write(t.Context(), "auth/apps/role/"+team+"/secret-id", m{}); !denied(err) {
			t.Errorf("a secret ID that is not wrapped: got %v, want 403", err)
		}
		made := b.wrapped(t, people, "auth/apps/role/"+team+"/secret-id")
		applications[team], _ = b.login(t, "auth/apps/login", m{"role_id": id["role_id"], "secret_id": made["secret_id"]})
	}
	for team, other := range map[string]string{"red": "blue", "blue": "red"} {
		as := api{b.VaultNode, applications[team]}
		if _, err := as.do(t.Context(), http.MethodGet, other+"/data/database", nil); !denied(err) {
			t.Errorf("%s reads what is of %s: got %v, want 403", team, other, err)
		}
		if _, err := as.Write(t.Context(), team+"/data/database", m{"data": m{}}); !denied(err) {
			t.Errorf("an application of %s writes: got %v, want 403", team, err)
		}
	}
	read := func(team string) int {
		_, err := (api{b.VaultNode, applications[team]}).do(t.Context(), http.MethodGet, team+"/data/database", nil)
		var refused answered
		if errors.As(err, &refused) {
			return refused.Status
		}
		if err != nil {
			t.Fatal(err)
		}
		return http.StatusOK
	}
	err := testbed.Poll(t.Context(), time.Millisecond, "the limit of red", func(ctx context.Context) error {
		if got := read("red"); got != http.StatusTooManyRequests {
			return fmt.Errorf("it answers %d", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := read("blue"); got != http.StatusOK {
		t.Errorf("red is at its limit, and blue gets %d", got)
	}
}

// carrying returns a token with a policy.
func (b *bed) carrying(t *testing.T, policy string) string {
	t.Helper()
	var made struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	if err := b.Call(t.Context(), http.MethodPost, "auth/token/create", b.root, m{"policies": []string{policy}}, &made); err != nil {
		t.Fatal(err)
	}
	return made.Auth.ClientToken
}

// wrapped writes at a path for a wrapped answer, and unwraps it.
func (b *bed) wrapped(t *testing.T, token, path string) m {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.Addr+"/v1/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"X-Vault-Token": {token}, "X-Vault-Wrap-Ttl": {"60s"}}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var wrapping struct {
		WrapInfo struct{ Token string } `json:"wrap_info"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&wrapping); err != nil || wrapping.WrapInfo.Token == "" {
		t.Fatalf("%s answers %s without a wrapped secret: %v", path, answer.Status, err)
	}
	made, err := (api{b.VaultNode, wrapping.WrapInfo.Token}).answer(t.Context(), "sys/wrapping/unwrap", nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
