package value

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// ParseText returns text as it is if it contains no call, and a template otherwise. "$${" stands
// for a literal "${".
func ParseText(text string, at Position) (any, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	return parseTemplate(text, at)
}

// Pending reports whether value contains a reference or a value yet to be generated.
func Pending(value any) bool {
	switch value := value.(type) {
	case Template, Generator:
		return true
	case map[string]any:
		for _, inner := range value {
			if Pending(inner) {
				return true
			}
		}
	case []any:
		for _, inner := range value {
			if Pending(inner) {
				return true
			}
		}
	}
	return false
}

// Hidden reports whether value contains anything that must not be shown.
func Hidden(value any) bool {
	switch value := value.(type) {
	case secret.Value, Generator:
		return true
	case Template:
		return value.Secret || slices.ContainsFunc(value.Parts, func(p Part) bool { return !p.Shows() })
	case map[string]any:
		for _, inner := range value {
			if Hidden(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, Hidden)
	}
	return false
}

// Reveal returns value with every secret as its text. The result goes to Vault or
// into a comparison, never into an output.
func Reveal(value any) any {
	switch value := value.(type) {
	case secret.Value:
		return value.Reveal()
	case Template, Generator:
		return unknownYet
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, inner := range value {
			out[name] = Reveal(inner)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, inner := range value {
			out[i] = Reveal(inner)
		}
		return out
	default:
		return value
	}
}

// unknownYet stands for a value that is known only when it is written.
const unknownYet = "(known after the run)"

// ScalarText returns value's text; ok is false for lists and mappings.
func ScalarText(value any) (text string, ok bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case bool, json.Number, int, int64, float64:
		return fmt.Sprint(value), true
	default:
		return "", false
	}
}

// ToText returns value's text, "" for lists and mappings.
func ToText(value any) string {
	text, _ := ScalarText(value)
	return text
}

// Dig returns the value under a dotted name; a key that itself contains dots takes precedence.
func Dig(fields map[string]any, name string) any {
	if value, there := fields[name]; there {
		return value
	}
	outer, inner, nested := strings.Cut(name, ".")
	deeper, isMap := fields[outer].(map[string]any)
	if !nested || !isMap {
		return nil
	}
	return Dig(deeper, inner)
}

// Merged returns a copy of fields, overridden by others.
func Merged(fields, others map[string]any) map[string]any {
	out := make(map[string]any, len(fields)+len(others))
	for _, from := range []map[string]any{fields, others} {
		for name, value := range from {
			out[name] = value
		}
	}
	return out
}

// sensitiveNames are fields that hold credentials, in Vault 1.21's auth methods, secrets engines
// and MFA methods. Vault returns hardly any of them.
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

// Leaf returns the last part of a field's dotted name.
func Leaf(field string) string { return field[strings.LastIndexByte(field, '.')+1:] }

// TrimPath returns a path without slashes at its ends.
func TrimPath(path string) string { return strings.Trim(path, "/") }

// CheckPath says what is wrong with a path of one or more names.
func CheckPath(path string) error {
	for name := range strings.SplitSeq(path, "/") {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// CheckWritten returns the path of a write as the seed gives it, without a leading slash, and says
// what is wrong with it. Vault refuses to write to a path that ends with a slash (1.21.5 and later;
// OpenBao since 2.5.3), or cuts the slash off (earlier).
func CheckWritten(given string) (path string, err error) {
	path = strings.TrimPrefix(given, "/")
	if path != "" && strings.HasSuffix(path, "/") {
		return path, fmt.Errorf("it ends with a slash")
	}
	return path, CheckPath(path)
}

// CheckName says what is wrong with a name. A valid name cannot redirect an API path.
func CheckName(name string) error {
	if strings.ContainsAny(name, "/*+?#") {
		return fmt.Errorf(`it holds "/", "*", "+", "?" or "#"`)
	}
	return checkPart(name)
}

// reservedNamespaces are the words that Vault reserves for its own paths and its root.
var reservedNamespaces = []string{"audit", "auth", "cubbyhole", "identity", "root", "sys"}

// ReservedNamespace returns the word in the path of a namespace that Vault reserves, "" for none.
func ReservedNamespace(path string) string {
	for name := range strings.SplitSeq(path, "/") {
		if slices.Contains(reservedNamespaces, name) {
			return name
		}
	}
	return ""
}

// CheckWholeName says what is wrong with a name that may contain slashes, because Vault uses the
// rest of the path as the name: those of policies, entities and groups, and those from a directory.
func CheckWholeName(name string) error {
	switch {
	case strings.Contains(name, "?"): // what follows is a query
		return fmt.Errorf(`it holds "?"`)
	case strings.Contains(name, "+*"):
		return fmt.Errorf(`it holds "+*", which no policy of Vault can name`)
	}
	for part := range strings.SplitSeq(name, "/") {
		if err := checkPart(part); err != nil {
			return err
		}
	}
	return nil
}

// CheckPasswordPolicy says what is wrong with the name of a password policy.
func CheckPasswordPolicy(name string) error {
	if strings.HasSuffix(name, "/generate") {
		return fmt.Errorf("passwords are generated there")
	}
	return CheckWholeName(name)
}

func checkPart(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("it is empty")
	case name == "." || name == "..":
		return fmt.Errorf("it is a relative path")
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("it begins or ends with a space")
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("it holds a control character")
	}
	return nil
}
