package value

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// CheckPath says what is wrong with a path of one or more names.
func CheckPath(path string) error {
	for name := range strings.SplitSeq(path, "/") {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// CheckName says what is wrong with a name. What passes cannot lead an API path
// anywhere else.
func CheckName(name string) error {
	if strings.ContainsAny(name, "/*+?#") {
		return fmt.Errorf(`it holds "/", "*", "+", "?" or "#"`)
	}
	return checkPart(name)
}

// reservedNamespaces are the words that Vault takes for its own paths or its root.
var reservedNamespaces = []string{"audit", "auth", "cubbyhole", "identity", "root", "sys"}

// ReservedNamespace says which word in the path of a namespace is Vault's own, "" for none.
func ReservedNamespace(path string) string {
	for name := range strings.SplitSeq(path, "/") {
		if slices.Contains(reservedNamespaces, name) {
			return name
		}
	}
	return ""
}

// CheckWholeName says what is wrong with a name for which Vault takes all that is left of
// a path: that of policies, entities and groups, and of what comes from a directory.
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

// TrimPath returns a path without slashes at its ends.
func TrimPath(path string) string { return strings.Trim(path, "/") }
