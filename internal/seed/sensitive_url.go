package seed

import (
	"regexp"
	"strings"
)

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
