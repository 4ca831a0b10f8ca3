package product_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// recorded returns what a real server has answered, with fields changed; one that is nil is removed.
func recorded(t *testing.T, file string, changes map[string]any) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/" + file + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(content, &answer); err != nil {
		t.Fatal(err)
	}
	for field, value := range changes {
		answer[field] = value
		if value == nil {
			delete(answer, field)
		}
	}
	content, err = json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestRecognize(t *testing.T) {
	type changes = map[string]any
	vault2 := func(more changes) changes {
		more["version"] = "2.0.4"
		return more
	}
	for name, test := range map[string]struct {
		// server is whose answers they are. Without health or seal, that one is not asked.
		server       string
		health, seal changes
		want         string
	}{
		"Vault":                                    {"vault-1.21.1", changes{}, changes{}, "Vault 1.21.1"},
		"Vault, health alone":                      {"vault-1.21.1", changes{}, nil, "Vault 1.21.1"},
		"Vault, seal alone":                        {"vault-1.21.1", nil, changes{}, "Vault 1.21.1"},
		"Vault Enterprise":                         {"vault-1.21.1", changes{"version": "1.21.1+ent", "enterprise": true}, nil, "Vault 1.21.1+ent"},
		"Vault before the field enterprise":        {"vault-1.21.1", changes{"version": "0.11.6", "enterprise": nil, "clock_skew_ms": nil}, nil, "Vault 0.11.6"},
		"Vault 2":                                  {"vault-1.21.1", vault2(changes{}), nil, "Vault 2.0.4"},
		"Vault 2, seal alone":                      {"vault-1.21.1", nil, vault2(changes{}), "Vault or OpenBao 2.0.4"},
		"Vault 2 without enterprise":               {"vault-1.21.1", vault2(changes{"enterprise": nil}), changes{}, "Vault 2.0.4"},
		"Vault 2 without enterprise, health alone": {"vault-1.21.1", vault2(changes{"enterprise": nil}), nil, "Vault or OpenBao 2.0.4"},
		"Vault 2 without clock_skew_ms":            {"vault-1.21.1", vault2(changes{"clock_skew_ms": nil}), changes{}, "Vault 2.0.4"},
		"Vault 2 with commit_date":                 {"vault-1.21.1", vault2(changes{}), changes{"commit_date": "2026-01-01T00:00:00Z", "build_date": nil}, "Vault 2.0.4"},
		"Vault without a number":                   {"vault-1.21.1", changes{"version": "nightly"}, nil, "Vault nightly"},
		"OpenBao":                                  {"openbao-2.6.2", changes{}, changes{}, "OpenBao 2.6.2"},
		"OpenBao, health alone":                    {"openbao-2.6.2", changes{}, nil, "OpenBao 2.6.2"},
		"OpenBao, seal alone":                      {"openbao-2.6.2", nil, changes{}, "OpenBao 2.6.2"},
		"OpenBao before commit_date":               {"openbao-2.6.2", changes{"version": "2.5.5"}, changes{"build_date": "2026-06-17T00:00:00Z", "commit_date": nil}, "OpenBao 2.5.5"},
		"OpenBao with enterprise":                  {"openbao-2.6.2", changes{"enterprise": false}, changes{}, "OpenBao 2.6.2"},
		"OpenBao with clock_skew_ms":               {"openbao-2.6.2", changes{"clock_skew_ms": 0}, changes{}, "OpenBao 2.6.2"},
		"OpenBao with build_date again":            {"openbao-2.6.2", changes{}, changes{"build_date": "", "commit_date": nil}, "OpenBao 2.6.2"},
		"no version":                               {"openbao-2.6.2", changes{"version": nil}, changes{"version": nil}, ""},
		"a version that is no text":                {"openbao-2.6.2", changes{"version": 2}, nil, ""},
		"not asked":                                {"openbao-2.6.2", nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var health, seal []byte
			if test.health != nil {
				health = recorded(t, test.server+"-health", test.health)
			}
			if test.seal != nil {
				seal = recorded(t, test.server+"-seal-status", test.seal)
			}
			if got := product.Recognize(health, seal); got.String() != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	for _, server := range []string{"vault-1.21.1", "openbao-2.6.2"} {
		whole, empty := product.Recognize(recorded(t, server+"-health", nil), nil), product.Recognize(recorded(t, server+"-health-uninitialized", nil), nil)
		if whole != empty {
			t.Errorf("before it is initialized, %q is %q", whole, empty)
		}
	}
	if got := product.Recognize([]byte("<html>"), []byte("[1]")); got != (product.Product{}) {
		t.Errorf("a page and a list are %q", got)
	}
}

func of(kind product.Kind, version string) product.Product {
	parsed, _ := product.ParseVersion(version)
	return product.Product{Kind: kind, Version: parsed}
}

func TestVersions(t *testing.T) {
	for _, text := range []string{"", "2", "1.x", "1.2.3.4", "-1.2", "nightly"} {
		if got, ok := product.ParseVersion(text); ok || got.String() != text {
			t.Errorf("%q parses as %+v", text, got)
		}
	}
	ascending := []string{"0.11.0", "1.9.10", "1.21", "v1.21.1", "1.21.2+ent.hsm", "2.6.0-beta20260622", "2.6.2", "2.10.0"}
	for i := 1; i < len(ascending); i++ {
		older, ok := product.ParseVersion(ascending[i-1])
		newer, too := product.ParseVersion(ascending[i])
		if !ok || !too || older.Compare(newer) >= 0 || newer.Compare(older) <= 0 || newer.Compare(newer) != 0 {
			t.Errorf("%s is not older than %s", older, newer)
		}
	}
}

func TestMaintained(t *testing.T) {
	for _, test := range []struct {
		kind    product.Kind
		version string
		want    bool
	}{
		{product.Vault, "1.21.1", true}, {product.Vault, "1.19.0", true}, {product.Vault, "1.18.5", false}, {product.Vault, "1.9.0+ent", false},
		{product.Vault, "0.11.0", false}, {product.Vault, "2.0.4", true}, {product.Vault, "nightly", false},
		{product.OpenBao, "2.6.2", true}, {product.OpenBao, "2.7.0", true}, {product.OpenBao, "2.5.5", false}, {product.OpenBao, "2.0.0", false},
		{product.OpenBao, "3.0.0", true}, {product.Unknown, "2.6.2", false},
	} {
		if got := of(test.kind, test.version); got.Maintained() != test.want {
			t.Errorf("%s: %v", got, got.Maintained())
		}
	}
}

// TestStatuses holds the table to the versions at which an endpoint was replaced.
func TestStatuses(t *testing.T) {
	type endpoints = map[product.Ceremony][]product.Endpoint
	old := endpoints{
		product.GenerateRoot:  {{Path: "sys/generate-root/attempt"}},
		product.Rekey:         {{Path: "sys/rekey/init"}},
		product.RekeyRecovery: {{Path: "sys/rekey-recovery-key/init"}},
	}
	granted := endpoints{}
	for of, list := range old {
		granted[of] = []product.Endpoint{{Path: list[0].Path, Granted: true}}
	}
	rotates := endpoints{
		product.GenerateRoot:  old[product.GenerateRoot],
		product.Rekey:         {{Path: "sys/rotate/root/init", Granted: true}, {Path: "sys/rekey/init", Closable: true}},
		product.RekeyRecovery: {{Path: "sys/rotate/recovery/init", Granted: true}, {Path: "sys/rekey-recovery-key/init", Closable: true}},
	}
	all := endpoints{
		product.GenerateRoot: {{Path: "sys/generate-root-token/attempt", Granted: true}},
		product.Rekey:        rotates[product.Rekey], product.RekeyRecovery: rotates[product.RekeyRecovery],
	}
	granting := product.GrantedStatuses()
	for _, test := range []struct {
		kind    product.Kind
		version string
		want    endpoints
	}{
		{product.Vault, "1.21.1", old}, {product.Vault, "2.0.0", granted}, {product.Vault, "2.6.2", granted}, {product.Vault, "nightly", old},
		{product.OpenBao, "2.3.2", old}, {product.OpenBao, "2.4.0", rotates}, {product.OpenBao, "2.5.5", rotates},
		{product.OpenBao, "2.6.0", all}, {product.OpenBao, "2.6.2", all}, {product.Unknown, "2.6.2", old}, {product.Unknown, "", old},
	} {
		for ceremony, want := range test.want {
			got := of(test.kind, test.version).Statuses(ceremony)
			if !slices.Equal(got, want) {
				t.Errorf("%s of %s %s: %+v, want %+v", ceremony, test.kind, test.version, got, want)
			}
			for _, endpoint := range got {
				if endpoint.Granted && !slices.Contains(granting, endpoint.Path) {
					t.Errorf("%s is not among those that want a grant", endpoint.Path)
				}
			}
		}
	}
}

func TestAbilities(t *testing.T) {
	for _, test := range []struct {
		of               product.Product
		mlock, shareless bool
	}{
		{of(product.Vault, "1.21.1"), true, false}, {of(product.Vault, "2.6.0"), true, false}, {product.Product{}, true, false},
		{of(product.OpenBao, "2.5.3"), false, false}, {of(product.OpenBao, "2.6.2"), false, true},
	} {
		if test.of.HasMlock() != test.mlock || test.of.TakesNoRecoveryShares() != test.shareless {
			t.Errorf("%q: mlock %v, without recovery keys %v", test.of, test.of.HasMlock(), test.of.TakesNoRecoveryShares())
		}
	}
}
