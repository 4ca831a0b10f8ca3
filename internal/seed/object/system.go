package object

import (
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Plugin returns an entry of the plugin catalog.
func Plugin(kind, name string, fields map[string]any) Object {
	id := "sys/plugins/catalog/" + kind + "/" + name
	o := Object{ID: ID(id), Stage: StagePlugins, Data: fields, Endpoint: "plugin"}
	if version, _ := fields["version"].(string); version != "" {
		o.ID += ID("@" + version)
		o.Traits.Read, o.Traits.Write = o.ID.CatalogPath(), id
	}
	o.Traits.Extract = func(_ Object, answer map[string]any) (map[string]any, bool) {
		// Vault splits a command with arguments into two fields.
		command, _ := answer["command"].(string)
		args, _ := answer["args"].([]any)
		if want, _ := fields["command"].(string); strings.Contains(want, " ") {
			for _, arg := range args {
				command += " " + value.ToText(arg)
			}
			answer = value.Merged(answer, map[string]any{"command": command})
		}
		// It shows a version with a leading v, however it was written.
		want, _ := fields["version"].(string)
		if shown, _ := answer["version"].(string); want != "" && canonicalVersion(shown) == canonicalVersion(want) {
			answer = value.Merged(answer, map[string]any{"version": want})
		}
		return answer, answer["builtin"] != true
	}
	return o
}

// Quota returns the quota name of a kind: rate-limit or lease-count.
func Quota(kind, name string, fields map[string]any) Object {
	return Object{ID: ID("sys/quotas/" + kind + "/" + name), Stage: StageQuotas, Data: fields, Endpoint: "quota/" + kind}
}

// QuotaConfig returns the settings of all quotas.
func QuotaConfig(fields map[string]any) Object {
	return Object{ID: "sys/quotas/config", Stage: StageQuotas, Data: fields, Endpoint: "quota/config"}
}

// UIHeader returns a header of the UI.
func UIHeader(name string, value any) Object {
	id := "sys/config/ui/headers/" + name
	values, isList := value.([]any)
	if !isList {
		values = []any{value}
	}
	// Vault shows only the first value, unless it is asked for all.
	return Object{
		ID: ID(id), Stage: StageSettings, Data: map[string]any{"values": values}, Endpoint: "ui-header", Folded: len(name),
		Traits: Traits{Read: id + "?multivalue=true"},
	}
}

// standardHeaders are the headers that Vault 1.21 adds to every CORS configuration.
var standardHeaders = []string{
	"Content-Type", "X-Requested-With", "X-Vault-AWS-IAM-Server-ID", "X-Vault-MFA", "X-Vault-No-Request-Forwarding",
	"X-Vault-Wrap-Format", "X-Vault-Wrap-TTL", "X-Vault-Policy-Override", "Authorization", "X-Vault-Token",
}

// CORS returns the CORS configuration.
func CORS(fields map[string]any) Object {
	return Object{
		ID: "sys/config/cors", Stage: StageSettings, Data: fields, Endpoint: "cors",
		Traits: Traits{Extract: func(_ Object, answer map[string]any) (map[string]any, bool) {
			headers, _ := answer["allowed_headers"].([]any)
			added := slices.DeleteFunc(slices.Clone(headers), func(h any) bool { return slices.Contains(standardHeaders, value.ToText(h)) })
			return value.Merged(answer, map[string]any{"allowed_headers": added}), answer["enabled"] == true
		}},
	}
}

// Lacking names the feature that a server needs for o.
func Lacking(o Object) string {
	switch {
	case o.Stage == StageNamespaces:
		return "namespaces"
	case o.Endpoint == "quota/lease-count":
		return "quotas of leases"
	}
	return o.WritePath()
}
