package fields

import (
	"slices"
	"strconv"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// closed are fields that take one of a few words, and are refused with any other by every server that
// has them, as seen on Vault 1.21.1 and OpenBao 2.6.2. Words that later versions may add to, such as
// types of keys, are not here.
var closed = []struct {
	engine, path, field string // engine and path may be empty: of all
	words               []string
}{
	{"auth/token", "", "token_type", []string{"service", "batch", "default-service", "default-batch"}},
	{"", "", "token_type", []string{"default", "service", "batch", "default-service", "default-batch"}},
	{"auth/jwt", "role/+", "role_type", []string{"oidc", "jwt"}},
	{"auth/kubernetes", "role/+", "alias_name_source", []string{"serviceaccount_uid", "serviceaccount_name"}},
	{"auth/ldap", "config", "tls_min_version", []string{"tls10", "tls11", "tls12", "tls13"}},
	{"auth/ldap", "config", "tls_max_version", []string{"tls10", "tls11", "tls12", "tls13"}},
	{"auth/aws", "role/+", "auth_type", []string{"iam", "ec2"}},
	{"ssh", "roles/+", "key_type", []string{"ca", "otp"}},
}

// enumeration returns the words of a closed field.
func enumeration(at Endpoint, field string) (words []string, is bool) {
	for _, c := range closed {
		if c.field == field && (c.engine == "" || c.engine == at.Engine) && (c.path == "" || c.path == at.Path) {
			return c.words, true
		}
	}
	return nil, false
}

// among reports whether v may be one of the words: an empty text stands for the server's default.
func among(v any, words []string) bool {
	text, scalar := value.ScalarText(v)
	return !scalar || text == "" || slices.Contains(words, text)
}

// spelt returns words as they are shown: the empty one in quotes.
func spelt(words []string) []string {
	var shown []string
	for _, word := range words {
		if word == "" {
			word = strconv.Quote(word)
		}
		if !slices.Contains(shown, word) {
			shown = append(shown, word)
		}
	}
	return shown
}
