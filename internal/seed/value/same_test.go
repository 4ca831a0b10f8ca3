package value

import (
	"encoding/json"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

func TestSame(t *testing.T) {
	n := func(text string) json.Number { return json.Number(text) }
	list := func(items ...any) []any { return items }
	for _, test := range []struct {
		field       string
		want, shown any
		same        bool
	}{
		{"token_ttl", "1h", n("3600"), true},
		{"token_ttl", "3600s", n("3600"), true},
		{"token_ttl", "1h30m", n("5400"), true},
		{"token_ttl", "7d", n("604800"), true},
		{"token_ttl", "3600", n("3600"), true},
		{"token_ttl", n("3600"), n("3600"), true},
		{"token_ttl", "1h", n("3601"), false},
		{"token_ttl", "1h", "1h0m0s", true},
		{"token_ttl", "1h", "3600", true},
		{"delete_version_after", "1d", "24h0m0s", true},
		{"expiry", "3d", "72h", true},
		{"expiry", "3d", "73h", false},
		{"max_lease_ttl", "system", n("0"), true},
		{"max_lease_ttl", "", n("0"), true},
		{"max_lease_ttl", "system", n("5"), false},
		{"name", "60m", "1h", false},
		{"num_uses", "5", n("5"), true},
		{"num_uses", n("5"), "5", true},
		{"ratio", n("1.50"), n("1.5"), true},
		{"ratio", "abc", n("0"), false},
		{"enabled", "true", true, true},
		{"enabled", n("1"), true, true},
		{"enabled", true, "true", true},
		{"enabled", "", false, true},
		{"log_raw", true, "1", true},
		{"log_raw", "false", "0", true},
		{"log_raw", "true", "0", false},
		{"log_raw", "1", "0", false},
		{"enabled", "no", false, false},
		{"token_policies", "a,b", list("b", "a"), true},
		{"token_policies", list("B", "a", "a"), list("a", "b"), true},
		{"token_policies", list("a"), list("a", "b"), false},
		{"token_policies", "a", list("a"), true},
		{"token_policies", "", list(), true},
		{"token_policies", list(), nil, true},
		{"token_policies", list("a"), nil, false},
		{"chain", list("a", "b"), list("b", "a"), false},
		{"chain", "a, b", list("a", "b"), true},
		{"chain", list("a", "b"), "a,b", true},
		{"chain", n("5"), list(n("5")), true},
		{"policy", "path {}\n", "path {}", true},
		{"description", "text\n", "text", false},
		{"bound_claims", map[string]any{"a": "1"}, map[string]any{"a": n("1")}, true},
		{"bound_claims", map[string]any{"a": "1"}, map[string]any{"a": "1", "b": "2"}, false},
		{"bound_claims", map[string]any{"a": "1"}, map[string]any{"b": "1"}, false},
		{"bound_claims", map[string]any{}, map[string]any{}, true},
		{"bound_claims", "", map[string]any{}, true},
		{"bound_claims", map[string]any{}, nil, true},
		{"host", secret.New("x"), "x", true},
		{"host", secret.New("x"), "y", false},
		{"host", list("x"), map[string]any{}, false},
		{"chain", map[string]any{"a": "b"}, list(), false},
		{"huge", "1e999999999", n("1"), false},
	} {
		if got := Same(test.field, test.want, test.shown); got != test.same {
			t.Errorf("same(%s, %#v, %#v) = %v", test.field, test.want, test.shown, got)
		}
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"polices": "policies", "Auth": "auth", "secretes": "secrets", "completely": "", "": ""} {
		if got := Nearest(word, []string{"policies", "auth", "secrets", "audit"}); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
