package keyring

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// Settings returns the options of a form, by their names. None of them is secret.
func (f Form) Settings() map[string]string {
	values, err := url.ParseQuery(f.Options)
	if err != nil { // Parse would have refused it
		return nil
	}
	settings := make(map[string]string, len(values))
	for name := range values {
		settings[name] = values.Get(name)
	}
	return settings
}

// optionName is how options are called: nothing that could be a secret.
var optionName = regexp.MustCompile(`^[a-z][a-z-]*$`)

// readOptions reads NAME=VALUE&NAME=VALUE and returns it in canonical form. It does not know which
// names there are. Its errors repeat no value: somebody may have put a secret there.
func readOptions(text string) (string, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return "", errors.New("its options are not of the form NAME=VALUE&NAME=VALUE, with % escapes")
	}
	for name, all := range values {
		switch {
		case !optionName.MatchString(name):
			return "", errors.New("it has an option whose name is not made of a-z and -")
		case len(all) > 1:
			return "", fmt.Errorf("the option %q is given twice", name)
		case all[0] == "":
			return "", fmt.Errorf("the option %q has no value", name)
		case strings.ContainsFunc(all[0], unicode.IsControl):
			return "", fmt.Errorf("the option %q has control characters in it", name)
		}
	}
	return values.Encode(), nil
}
