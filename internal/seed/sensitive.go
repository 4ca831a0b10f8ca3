package seed

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// sensitiveNames are fields that open something, in Vault 1.21's auth methods, secrets
// engines and MFA methods. Vault returns hardly any of them.
var sensitiveNames = []string{
	"password", "passphrase", "bindpass", "secret", "secret_key", "secret_id", "client_secret",
	"token", "api_token", "org_token", "access_token", "refresh_token", "bearer_token", "jwt", "token_reviewer_jwt", "service_account_jwt",
	"credentials", "service_account_json",
	"private_key", "client_tls_key", "client_key", "tls_private_key", "tls_certificate_key", "ssh_key", "pem_bundle", "pem_json",
	"backup",                                  // of a transit key, in clear
	"settings_file_base64", "integration_key", // PingID's, Duo's
}

// sensitive reports whether a field of this name holds a secret.
func sensitive(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains(sensitiveNames, name) || strings.HasSuffix(name, "_password") || strings.HasSuffix(name, "_secret")
}

// protect returns data with the texts of sensitive fields wrapped, at any depth.
func protect(data map[string]any) map[string]any {
	out := make(map[string]any, len(data))
	for name, value := range data {
		out[name] = protectValue(value, sensitive(name))
	}
	return out
}

func protectValue(value any, hide bool) any {
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, inner := range value {
			out[name] = protectValue(inner, hide || sensitive(name))
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, inner := range value {
			out[i] = protectValue(inner, hide)
		}
		return out
	case template, generator, secret.Value, bool:
		return value
	case string:
		if hide || len(credentialsIn(value)) > 0 {
			return secret.New(value)
		}
		return value
	default:
		if hide {
			return secret.New(fmt.Sprint(value))
		}
		return value
	}
}

// hidden reports whether value holds anything that must not be shown.
func hidden(value any) bool {
	switch value := value.(type) {
	case secret.Value, generator:
		return true
	case template:
		return value.secret || slices.ContainsFunc(value.parts, func(p part) bool { return !p.shows() })
	case map[string]any:
		for _, inner := range value {
			if hidden(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, hidden)
	}
	return false
}

// reveal returns value with every secret as its text. The result goes to Vault or
// into a comparison, never into an output.
func reveal(value any) any {
	switch value := value.(type) {
	case secret.Value:
		return value.Reveal()
	case template, generator:
		return unknownYet
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, inner := range value {
			out[name] = reveal(inner)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, inner := range value {
			out[i] = reveal(inner)
		}
		return out
	default:
		return value
	}
}

// unknownYet stands for what is known only when it is written.
const unknownYet = "(known after the run)"

// secretTexts returns every secret text in value.
func secretTexts(value any) []string {
	switch value := value.(type) {
	case secret.Value:
		// Servers quote a part of a URL as well as the whole.
		return append(credentialsIn(value.Reveal()), value.Reveal())
	case map[string]any:
		var texts []string
		for _, inner := range value {
			texts = append(texts, secretTexts(inner)...)
		}
		return texts
	case []any:
		var texts []string
		for _, inner := range value {
			texts = append(texts, secretTexts(inner)...)
		}
		return texts
	}
	return nil
}
