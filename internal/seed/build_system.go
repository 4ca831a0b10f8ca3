package seed

import (
	"maps"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// addNamespaces adds namespaces with what each of them holds.
func addNamespaces(b *builder, r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("namespaces") {
		path, ok := mountPath(each, problems)
		if !ok {
			continue
		}
		if word := value.ReservedNamespace(path); word != "" {
			problems.Add(each.At, "the namespace %q cannot be used: %s is Vault's own", path, word)
			continue
		}
		metadata, ok := namespaceMetadata(each, problems)
		if !ok || !withoutServerWide(each, path, problems) {
			continue
		}
		b.add(object.Namespace(path, metadata), each.At, problems)
		b.ns = path + "/"
		b.contents(each, problems)
		b.ns = ""
	}
}

// namespaceMetadata returns the custom metadata of a namespace, whose values are texts; nil if none
// is declared.
func namespaceMetadata(r lang.Record, problems *value.Problems) (map[string]any, bool) {
	declared := r.Mapping("custom_metadata")
	if declared == nil {
		return nil, true
	}
	texts := make(map[string]any, len(declared))
	for name, v := range declared {
		if value.Pending(v) || value.Hidden(v) {
			texts[name] = v
			continue
		}
		text, ok := value.ScalarText(v)
		if !ok {
			problems.Add(r.Positions["custom_metadata"], "%q in custom_metadata must be a text", name)
			return nil, false
		}
		texts[name] = text
	}
	return texts, true
}

// withoutServerWide reports sections of a namespace that every server has only in its root
// namespace.
func withoutServerWide(r lang.Record, path string, problems *value.Problems) bool {
	ok := true
	for _, each := range []struct{ section, belong string }{{"audit", "audit devices belong"}, {"cors", "the CORS settings belong"}} {
		if _, there := r.Values[each.section]; there {
			problems.Add(r.Positions[each.section], "%s cannot be in the namespace %q: %s to the server as a whole. Move the section to the top level of the seed", each.section, path, each.belong)
			ok = false
		}
	}
	return ok
}

func addAudit(b *builder, r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("audit") {
		if path, ok := mountPath(each, problems); ok {
			b.add(object.AuditDevice(path, each.Text("type"), pick(each, "description", "local", "options")), each.At, problems)
		}
	}
}

func addPasswordPolicies(b *builder, r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("password-policies") {
		if name, ok := nameOf(each, "name", value.CheckPasswordPolicy, problems); ok {
			b.add(object.PasswordPolicy(name, each.Values["rules"]), each.At, problems)
		}
	}
}

func addTokens(b *builder, r lang.Record, problems *value.Problems) {
	for _, role := range r.Inner("tokens").Records("roles") {
		b.child(role, "name", problems, func(name string) object.Object { return object.Role("token", "token", name, role.Rest) })
	}
}

// addSystem adds the settings below sys.
func addSystem(b *builder, r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("plugins") {
		b.child(each, "plugin_name", problems, func(name string) object.Object {
			return object.Plugin(each.Text("type"), name, pick(each, "version", "command", "sha256", "args", "env"))
		})
	}
	quotas := r.Inner("quotas")
	for _, kind := range []string{"rate-limit", "lease-count"} {
		for _, each := range quotas.Records(kind + "s") {
			b.child(each, "name", problems, func(name string) object.Object { return object.Quota(kind, name, each.Rest) })
		}
	}
	if config := quotas.Mapping("config"); config != nil {
		b.add(object.QuotaConfig(config), quotas.Positions["config"], problems)
	}
	headers := r.Mapping("ui-headers")
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if err := value.CheckName(name); err != nil {
			problems.Add(r.Positions["ui-headers"], "the name %q cannot be used: %s", name, err)
			continue
		}
		b.add(object.UIHeader(name, headers[name]), r.Positions["ui-headers"], problems)
	}
	if settings, ok := r.Values["cors"].(lang.Record); ok {
		b.add(object.CORS(pick(settings, "allowed_origins", "allowed_headers")), r.Positions["cors"], problems)
	}
}

func addRequests(b *builder, r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("requests") {
		b.request(each, problems)
	}
}

// request adds a request.
func (b *builder) request(r lang.Record, problems *value.Problems) {
	name, ok := nameOf(r, "name", value.CheckName, problems)
	path, err := value.CheckWritten(r.Text("path"))
	if ok && err != nil {
		problems.Add(r.At, "the path %q cannot be used: %s", r.Text("path"), err)
		ok = false
	}
	if !ok {
		return
	}
	if strings.HasPrefix(path, "v1/") {
		problems.Add(r.Positions["path"], "the path %q cannot be used: write it without v1/", r.Text("path"))
		return
	}
	unless := r.Inner("unless")
	if unless.Text("path") != "" && value.CheckPath(value.TrimPath(unless.Text("path"))) != nil {
		problems.Add(unless.At, "the path %q cannot be used", unless.Text("path"))
		return
	}
	b.requests++
	o := object.Request(name, path, r.Text("operation") == "delete", r.Mapping("data"),
		object.Condition{Path: value.TrimPath(unless.Text("path")), Field: unless.Text("field"), Value: unless.Values["value"]}, b.requests)
	b.add(b.saved(o, r, b.ns, problems), r.At, problems)
}

// pick returns the named values of r that exist.
func pick(r lang.Record, names ...string) map[string]any {
	fields := map[string]any{}
	for _, name := range names {
		if value, ok := r.Values[name]; ok {
			fields[name] = value
		}
	}
	return fields
}

// mountPath returns the path at which r is enabled; the default is its type.
func mountPath(r lang.Record, problems *value.Problems) (string, bool) {
	path := r.Text("path")
	if path == "" {
		path = r.Text("type")
	}
	if path == "" { // the missing type was reported
		return "", false
	}
	if err := value.CheckPath(value.TrimPath(path)); err != nil {
		problems.Add(r.At, "the path %q cannot be used: %s", path, err)
		return "", false
	}
	return value.TrimPath(path), true
}
