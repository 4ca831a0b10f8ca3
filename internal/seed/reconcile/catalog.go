package reconcile

import (
	"context"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// catalog is the listing of the plugins that a server has.
const catalog = "sys/plugins/catalog"

// compiledIn are the types of secrets engines that Vault 1.21 and OpenBao 2.6 mount without an
// entry in the catalog.
var compiledIn = []string{"database", "generic"}

// findPlugins refuses new mounts whose type the server does not have. OpenBao, for one, lacks aws,
// azure, gcp and github. A token that may not read the catalog learns it when the mount is made.
func (p *Plan) findPlugins(ctx context.Context, api reader) error {
	var mounts []object.Object
	for _, c := range p.Changes {
		if c.Object.IsMount() && c.Action == Create {
			mounts = append(mounts, c.Object)
		}
	}
	if len(mounts) == 0 {
		return nil
	}
	shown, found, err := api.Read(ctx, catalog)
	if err != nil || !found {
		return nil //nolint:nilerr // policies made by earlier versions do not grant this
	}
	declared := map[string]bool{}
	for _, c := range p.Changes {
		if path, isPlugin := strings.CutPrefix(string(c.Object.ID), catalog+"/"); isPlugin {
			bare, _, _ := strings.Cut(path, "@")
			declared[bare] = true
		}
	}
	problems := &value.Problems{}
	for _, o := range mounts {
		kind, noun := "secret", "secrets engine"
		if listing, _ := o.Table(); strings.HasSuffix(listing, "sys/auth") {
			kind, noun = "auth", "auth method"
		}
		names := namesIn(shown[kind])
		name := pluginOf(o)
		if len(names) == 0 || name == "" || slices.Contains(names, name) || declared[kind+"/"+name] || kind == "secret" && slices.Contains(compiledIn, name) {
			continue
		}
		problems.Add(o.Position, "%s: this server has no %s %q: it is not in the plugin catalog%s", o.ID, noun, name, value.Suggestion(name, names))
	}
	return problems.Err("Correct the type or remove the mount. If there is a plugin for it, register it with the section 'plugins' of the seed. Nothing was written.")
}

// pluginOf returns the name in the catalog of what a mount runs; "" if it is not known.
func pluginOf(mount object.Object) string {
	if mount.Type != "plugin" {
		return mount.Type
	}
	name, _ := mount.Data["plugin_name"].(string)
	return name
}

// namesIn returns the texts of a list.
func namesIn(list any) []string {
	items, _ := list.([]any)
	names := make([]string, 0, len(items))
	for _, item := range items {
		if name, isText := item.(string); isText {
			names = append(names, name)
		}
	}
	return names
}
