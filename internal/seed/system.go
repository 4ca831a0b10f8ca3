package seed

import (
	"net/url"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// passwordPolicy returns the password policy name.
func passwordPolicy(name string, rules any) Object {
	return Object{ID: ID("sys/policies/password/" + name), Stage: StagePasswords, Data: map[string]any{"policy": rules}, endpoint: "password-policy"}
}

// plugin returns an entry of the plugin catalog.
func plugin(kind, name string, fields map[string]any) Object {
	id := "sys/plugins/catalog/" + kind + "/" + name
	o := Object{ID: ID(id), Stage: StagePlugins, Data: fields, endpoint: "plugin"}
	if version, _ := fields["version"].(string); version != "" {
		o.ID += ID("@" + version)
		o.how.read, o.how.write = o.ID.catalogPath(), id
	}
	o.how.see = func(_ Object, answer map[string]any) (map[string]any, bool) {
		// Vault splits a command with arguments in two.
		command, _ := answer["command"].(string)
		args, _ := answer["args"].([]any)
		if want, _ := fields["command"].(string); strings.Contains(want, " ") {
			for _, arg := range args {
				command += " " + value.ToText(arg)
			}
			answer = value.Merged(answer, map[string]any{"command": command})
		}
		// It shows a version with a v in front, however it was given.
		want, _ := fields["version"].(string)
		if shown, _ := answer["version"].(string); want != "" && canonicalVersion(shown) == canonicalVersion(want) {
			answer = value.Merged(answer, map[string]any{"version": want})
		}
		return answer, answer["builtin"] != true
	}
	return o
}

// catalogPath returns where a plugin is read and deleted, given its ID; other IDs are
// that themselves. To Vault 1.21 its version is a parameter: without one, it takes the
// plugin of that name that has none.
func (id ID) catalogPath() string {
	path := string(id)
	if at := strings.LastIndexByte(path, '@'); id.isPlugin() && at > strings.LastIndexByte(path, '/') {
		return path[:at] + "?version=" + url.QueryEscape(path[at+1:])
	}
	return path
}

// canonical returns the ID of a plugin with its version as Vault writes it, and other IDs
// as they are.
func (id ID) canonical() ID {
	text := string(id)
	if at := strings.LastIndexByte(text, '@'); id.isPlugin() && at > strings.LastIndexByte(text, '/') {
		return ID(text[:at+1] + canonicalVersion(text[at+1:]))
	}
	return id
}

// canonicalVersion returns a version as Vault writes it: with a v and three numbers.
func canonicalVersion(version string) string {
	core, suffix := strings.TrimPrefix(version, "v"), ""
	if i := strings.IndexAny(core, "-+"); i >= 0 {
		core, suffix = core[:i], core[i:]
	}
	for range 2 - strings.Count(core, ".") {
		core += ".0"
	}
	return "v" + core + suffix
}

func (id ID) isPlugin() bool { return strings.Contains("/"+string(id), "/sys/plugins/catalog/") }

// quota returns the quota name of a kind: rate-limit or lease-count.
func quota(kind, name string, fields map[string]any) Object {
	return Object{ID: ID("sys/quotas/" + kind + "/" + name), Stage: StageQuotas, Data: fields, endpoint: "quota/" + kind}
}

// quotaConfig returns what holds for all quotas.
func quotaConfig(fields map[string]any) Object {
	return Object{ID: "sys/quotas/config", Stage: StageQuotas, Data: fields, endpoint: "quota/config"}
}

// header returns a header of the UI.
func header(name string, value any) Object {
	id := "sys/config/ui/headers/" + name
	values, isList := value.([]any)
	if !isList {
		values = []any{value}
	}
	// Vault shows the first value only, unless it is asked for all.
	return Object{
		ID: ID(id), Stage: StageSettings, Data: map[string]any{"values": values}, endpoint: "ui-header", folded: len(name),
		how: traits{read: id + "?multivalue=true"},
	}
}

// standardHeaders are the ones that Vault 1.21 adds to every CORS configuration.
var standardHeaders = []string{
	"Content-Type", "X-Requested-With", "X-Vault-AWS-IAM-Server-ID", "X-Vault-MFA", "X-Vault-No-Request-Forwarding",
	"X-Vault-Wrap-Format", "X-Vault-Wrap-TTL", "X-Vault-Policy-Override", "Authorization", "X-Vault-Token",
}

// cors returns the CORS configuration.
func cors(fields map[string]any) Object {
	return Object{
		ID: "sys/config/cors", Stage: StageSettings, Data: fields, endpoint: "cors",
		how: traits{see: func(_ Object, answer map[string]any) (map[string]any, bool) {
			headers, _ := answer["allowed_headers"].([]any)
			added := slices.DeleteFunc(slices.Clone(headers), func(h any) bool { return slices.Contains(standardHeaders, value.ToText(h)) })
			return value.Merged(answer, map[string]any{"allowed_headers": added}), answer["enabled"] == true
		}},
	}
}

// namespace returns a namespace. It is made after those that it is in.
func namespace(path string) Object {
	return Object{
		ID: ID("sys/namespaces/" + path), Stage: StageNamespaces, Data: map[string]any{}, endpoint: "namespace",
		order: strings.Count(path, "/"),
	}
}
