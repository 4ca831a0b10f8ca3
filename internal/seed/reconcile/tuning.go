package reconcile

import (
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// mounting returns the writes that create a mount: one, and another for settings that Vault accepts
// only in a tune request.
func mounting(id string, data map[string]any) []put {
	config, _ := data["config"].(map[string]any)
	lockout, ok := config[object.LockoutConfig].(map[string]any)
	if !ok {
		return []put{{id, data}}
	}
	delete(config, object.LockoutConfig)
	return []put{{id, data}, {id + "/tune", map[string]any{object.LockoutConfig: lockoutTexts(lockout)}}}
}

// lockoutTexts returns the settings as Vault accepts them: as strings.
func lockoutTexts(settings map[string]any) map[string]any {
	texts := make(map[string]any, len(settings))
	for name, v := range settings {
		texts[name] = value.ToText(v)
		if truth, ok := v.(bool); ok {
			texts[name] = truth
		}
	}
	return texts
}

// splitWrites divides the fields between the two paths that take them.
func (c Change) splitWrites(data map[string]any) []put {
	how, first, second := c.Object.Traits.Split, map[string]any{}, map[string]any{}
	for name, value := range data {
		switch {
		case c.Action == Create && slices.Contains(how.Create, name):
			first[name] = value
		case !slices.Contains(how.Fixed, name):
			second[name] = value
		}
	}
	var writes []put
	if c.Action == Create {
		writes = append(writes, put{string(c.Object.ID), first})
	}
	if len(second) > 0 {
		writes = append(writes, put{how.Update, second})
	}
	return writes
}

// tuning returns the settings of a mount that change. A tune request has those of config at the top
// level.
func (c Change) tuning() map[string]any {
	data, options, lockout := map[string]any{}, map[string]any{}, map[string]any{}
	want := object.Flatten(c.Object)
	for _, f := range c.Fields {
		value := value.Reveal(want[f.Field])
		if name, ok := strings.CutPrefix(f.Field, "options."); ok {
			options[name] = value
			continue
		}
		name := strings.TrimPrefix(f.Field, "config.")
		if field, ok := strings.CutPrefix(name, object.LockoutConfig+"."); ok {
			lockout[field] = value
			continue
		}
		if text, ok := value.(string); ok && text == "" && strings.HasSuffix(name, "_ttl") {
			value = "system" // a tune request leaves a setting alone if it is empty
		}
		data[name] = value
	}
	if len(options) > 0 {
		data["options"] = options
	}
	if len(lockout) > 0 {
		data[object.LockoutConfig] = lockoutTexts(lockout)
	}
	return data
}
