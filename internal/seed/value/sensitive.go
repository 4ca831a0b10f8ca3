package value

import (
	"fmt"
	"regexp"
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

// IsSensitive reports whether a field of this name holds a secret.
func IsSensitive(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains(sensitiveNames, name) || strings.HasSuffix(name, "_password") || strings.HasSuffix(name, "_secret")
}

// Protect returns data with the texts of sensitive fields wrapped, at any depth.
func Protect(data map[string]any) map[string]any {
	out := make(map[string]any, len(data))
	for name, value := range data {
		out[name] = ProtectValue(value, IsSensitive(name))
	}
	return out
}

// ProtectValue is Protect for one value; with hide every text in it is wrapped.
func ProtectValue(value any, hide bool) any {
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, inner := range value {
			out[name] = ProtectValue(inner, hide || IsSensitive(name))
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, inner := range value {
			out[i] = ProtectValue(inner, hide)
		}
		return out
	case Template, Generator, secret.Value, bool:
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

// SecretTexts returns every secret text in value.
func SecretTexts(value any) []string {
	switch value := value.(type) {
	case secret.Value:
		// Servers quote a part of a URL as well as the whole.
		return append(credentialsIn(value.Reveal()), value.Reveal())
	case map[string]any:
		var texts []string
		for _, inner := range value {
			texts = append(texts, SecretTexts(inner)...)
		}
		return texts
	case []any:
		var texts []string
		for _, inner := range value {
			texts = append(texts, SecretTexts(inner)...)
		}
		return texts
	}
	return nil
}

// The forms in which a text that says where a server is says its password, too.
var (
	// postgresql://user:password@host
	inURL = regexp.MustCompile(`^[A-Za-z][\w+.-]*://[^\s:/@?#]*:([^\s/?#]+)@`)
	// MySQL's user:password@tcp(host), and the like; what is in the password is not escaped
	inName = regexp.MustCompile(`^[^\s:/@]*:([^\s/]\S*)@[\w({.-]`)
	// Oracle's user/password@host
	inOracle = regexp.MustCompile(`^[^\s:/@]+/([^\s:/@]+)@`)
	// host=h password=p, ?password=p, and otpauth://totp/a?secret=s
	inPairs = regexp.MustCompile(`(?i)(?:^|[\s;?&])(?:password|pwd|secret)\s*=\s*([^\s;&]+)`)
	// {{password}} and {{.Password}}, where the database engine fills in its own.
	placeholder = regexp.MustCompile(`^\{\{[^{}]*\}\}$`)
)

// credentialsIn returns the passwords within a connection URL or string. A text without
// the look of one has none.
func credentialsIn(text string) []string {
	if !strings.Contains(text, "://") && !strings.ContainsAny(text, "@=") {
		return nil
	}
	var found []string
	for _, form := range []*regexp.Regexp{inURL, inName, inOracle, inPairs} {
		for _, match := range form.FindAllStringSubmatch(text, -1) {
			if password := match[1]; !placeholder.MatchString(password) {
				found = append(found, password)
			}
		}
	}
	return found
}

// AllTexts returns every scalar in value.
func AllTexts(value any) []string {
	var texts []string
	switch value := Reveal(value).(type) {
	case map[string]any:
		for _, inner := range value {
			texts = append(texts, AllTexts(inner)...)
		}
	case []any:
		for _, inner := range value {
			texts = append(texts, AllTexts(inner)...)
		}
	default:
		if text, ok := ScalarText(value); ok {
			texts = append(texts, text)
		}
	}
	return texts
}
