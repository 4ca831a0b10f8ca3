package value

import (
	"regexp"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// SecretTexts returns every secret text in value.
func SecretTexts(value any) []string {
	switch value := value.(type) {
	case secret.Value:
		// Servers quote parts of a URL as well as all of it.
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

// The forms of connection strings that contain a password.
var (
	// postgresql://user:password@host
	inURL = regexp.MustCompile(`^[A-Za-z][\w+.-]*://[^\s:/@?#]*:([^\s/?#]+)@`)
	// MySQL's user:password@tcp(host), and the like; what is in the password is not escaped
	inName = regexp.MustCompile(`^[^\s:/@]*:([^\s/]\S*)@[\w({.-]`)
	// Oracle's user/password@host
	inOracle = regexp.MustCompile(`^[^\s:/@]+/([^\s:/@]+)@`)
	// host=h password=p, ?password=p, and otpauth://totp/a?secret=s
	inPairs = regexp.MustCompile(`(?i)(?:^|[\s;?&])(?:password|pwd|secret)\s*=\s*([^\s;&]+)`)
	// {{password}} and {{.Password}}, which the database engine replaces with its own.
	placeholder = regexp.MustCompile(`^\{\{[^{}]*\}\}$`)
)

// credentialsIn returns the passwords in a connection URL or string, if the text looks like one.
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
