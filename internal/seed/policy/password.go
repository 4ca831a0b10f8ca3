package policy

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl"

	"github.com/vault-bootstrap/vault-bootstrap/internal/acl"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// The limits on passwords in Vault 1.21.
const (
	minPassword = 4
	maxPassword = 100
)

// passwordCheck finds what Vault refuses in a password policy, and what it drops.
type passwordCheck struct {
	// characters is how many its rules require.
	characters int
	rules      int
	warnings   []string
}

func (c *passwordCheck) run(text string) error {
	if text == "" {
		return errors.New("not a valid password policy: it is empty")
	}
	if decoded, err := base64.StdEncoding.DecodeString(text); err == nil { // Vault takes either
		text = string(decoded)
	}
	if acl.TooDeep(text) {
		return fmt.Errorf("not a valid password policy: brackets nest more than %d deep", acl.DepthLimit)
	}
	content := map[string]any{}
	if err := hcl.Decode(&content, text); err != nil {
		return parseError("password policy", err)
	}
	if err := c.content(content); err != nil {
		return fmt.Errorf("not a valid password policy: %w", err)
	}
	return nil
}

func (c *passwordCheck) content(content map[string]any) error {
	c.drops(content, "", "length", "rule")
	length, ok := wholeNumber(field(content, "length"))
	if !ok || length < minPassword || length > maxPassword {
		return fmt.Errorf("%q must be a number from %d to %d", "length", minPassword, maxPassword)
	}
	blocks, _ := content["rule"].([]map[string]any)
	for _, block := range blocks {
		for _, kind := range slices.Sorted(maps.Keys(block)) {
			if err := c.rule(kind, block[kind]); err != nil {
				return err
			}
		}
	}
	switch {
	case c.rules == 0:
		return fmt.Errorf("it has no rule %q, so that there are no characters to choose from", "charset")
	case c.characters > length:
		return fmt.Errorf("its rules ask for %d characters, and %q is %d", c.characters, "length", length)
	}
	return nil
}

// rule checks one rule. The only kind is charset.
func (c *passwordCheck) rule(kind string, v any) error {
	if kind != "charset" {
		return fmt.Errorf("the rule %q is unknown%s", kind, value.Suggestion(kind, []string{"charset"}))
	}
	bodies, _ := v.([]map[string]any)
	if len(bodies) == 0 {
		return fmt.Errorf("a rule %q needs a block in braces", kind)
	}
	characters, _ := field(bodies[0], "charset").(string)
	if characters == "" {
		return fmt.Errorf("a rule %q needs characters in %q", kind, "charset")
	}
	if strings.ContainsFunc(characters, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("a rule %q has a character that cannot be printed", kind)
	}
	given := field(bodies[0], "min-chars")
	least, ok := wholeNumber(given)
	if given != nil && !ok {
		return fmt.Errorf("%q must be a number", "min-chars")
	}
	c.drops(bodies[0], " of a rule \"charset\"", "charset", "min-chars")
	c.rules, c.characters = c.rules+1, c.characters+least
	return nil
}

// drops warns about keys that Vault silently drops.
func (c *passwordCheck) drops(content map[string]any, of string, known ...string) {
	for _, name := range slices.Sorted(maps.Keys(content)) {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			c.warnings = append(c.warnings, fmt.Sprintf("Vault drops the key %q%s%s", name, of, value.Suggestion(name, known)))
		}
	}
}

// field returns what is under name in any case, as Vault reads it.
func field(content map[string]any, name string) any {
	for key, value := range content {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return nil
}

// wholeNumber returns a number as HCL and JSON have it.
func wholeNumber(value any) (int, bool) {
	switch value := value.(type) {
	case int:
		return value, true
	case float64:
		return int(value), true
	}
	return 0, false
}

// checkPassword checks a password policy, unless it holds a reference.
func checkPassword(o object.Object, problems *value.Problems) (warnings []value.Problem) {
	text, isText := o.Data["policy"].(string)
	if !isText {
		return nil
	}
	c := passwordCheck{}
	if err := c.run(text); err != nil {
		problems.Add(o.Position, "%s: %s", o.ID, err)
	}
	for _, warning := range c.warnings {
		warnings = append(warnings, value.Problem{Position: o.Position, Text: fmt.Sprintf("%s: %s", o.ID, warning)})
	}
	return warnings
}
