package fields

import (
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// settingWords are the settings of mounts that take one of a few words, as seen on Vault 1.21.1 and
// OpenBao 2.6.2.
var settingWords = map[string][]string{
	"listing_visibility": {"unauth", "hidden"},
	"token_type":         {"default-service", "default-batch", "service", "batch"},
}

// settings checks the settings of a mount, whose names and other types were checked by the language.
func (c *check) settings(mount object.Object) {
	config, _ := mount.Data["config"].(map[string]any)
	for _, name := range mount.CheckedFields() {
		if words, closed := settingWords[name]; closed && !undecided(config[name]) && !among(config[name], words) {
			c.problems.Add(mount.Position, "%s: %q must be one of %s", mount.ID, name, strings.Join(words, ", "))
		}
	}
	lockout, _ := config[object.LockoutConfig].(map[string]any)
	const threshold = "lockout_threshold"
	if v := lockout[threshold]; v != nil && !undecided(v) {
		if _, err := strconv.ParseUint(value.ToText(v), 10, 64); err != nil {
			c.problems.Add(mount.Position, "%s: %q must be a whole number", mount.ID, threshold)
		}
	}
}
