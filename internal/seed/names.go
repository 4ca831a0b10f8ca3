package seed

import (
	"fmt"
	"strings"
	"unicode"
)

// checkPath says what is wrong with a path of one or more names.
func checkPath(path string) error {
	for name := range strings.SplitSeq(path, "/") {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return nil
}

// checkName says what is wrong with a name. What passes cannot lead an API path
// anywhere else.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("it is empty")
	case name == "." || name == "..":
		return fmt.Errorf("it is a relative path")
	case strings.ContainsAny(name, "/*+?#"):
		return fmt.Errorf(`it holds "/", "*", "+", "?" or "#"`)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("it begins or ends with a space")
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("it holds a control character")
	}
	return nil
}
