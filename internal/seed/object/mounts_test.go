package object

import (
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// TestSettingsByReference compares settings of a mount that came from a reference, also as the items
// of a list.
func TestSettingsByReference(t *testing.T) {
	for _, test := range []struct {
		name        string
		want, shown any
		same        bool
	}{
		{"config.passthrough_request_headers", []any{secret.New("X-Team"), "X-Other"}, []any{"X-Other", "X-Team"}, true},
		{"config.passthrough_request_headers", []any{secret.New("X-Team")}, []any{"X-Other"}, false},
		{"config.passthrough_request_headers", []any{secret.New("X-Team")}, nil, false},
		{"description", secret.New("ours"), "ours", true},
	} {
		if got := SameSetting(test.name, test.want, test.shown); got != test.same {
			t.Errorf("%s beside %v: %v", test.name, test.shown, got)
		}
	}
}

// TestPluginVersions compares the version of a mount's plugin, which Vault shows with a v
// and three numbers.
func TestPluginVersions(t *testing.T) {
	for _, test := range []struct {
		want  string
		shown any
		same  bool
	}{
		{"1.2.3", "v1.2.3", true}, {"v1.2", "v1.2.0", true}, {"v1.2.0+fix", "v1.2.0+fix", true},
		{"1.2.3", "v1.2.4", false}, {"1.2.3", nil, false}, {"1.2.3", "", false}, {"", nil, true}, {"", "v1.0.0", false},
	} {
		if got := SameSetting("config.plugin_version", test.want, test.shown); got != test.same {
			t.Errorf("%q beside %v: %v", test.want, test.shown, got)
		}
	}
}
