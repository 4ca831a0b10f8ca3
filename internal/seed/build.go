package seed

import (
	"fmt"
	"strings"
	"unicode"
)

// builder turns records into objects.
type builder struct {
	objects []Object
	places  map[ID]Position
	harden  Harden
}

// build adds the objects of one file.
func (b *builder) build(r record, problems *Problems) {
	b.readHarden(r, problems)
	for _, each := range r.records("policies") {
		if name, ok := b.name(each, "name", problems); ok {
			b.add(policy(name, each.values["rules"]), each.at, problems)
		}
	}
	for _, each := range r.records("audit") {
		if path, ok := b.path(each, problems); ok {
			b.add(AuditDevice(path, each.text("type"), pick(each, "description", "local", "options")), each.at, problems)
		}
	}
	for _, each := range r.records("auth") {
		b.auth(each, problems)
	}
	for _, each := range r.records("secrets") {
		if path, ok := b.path(each, problems); ok {
			fields := pick(each, "description", "local", "seal_wrap", "options")
			if config, ok := each.values["config"].(record); ok {
				fields["config"] = config.values
			}
			b.add(SecretsMount(path, each.text("type"), fields), each.at, problems)
		}
	}
}

// policyFile adds the policy in an .hcl file.
func (b *builder) policyFile(name, rules string, at Position, problems *Problems) {
	if err := checkName(name); err != nil {
		problems.add(at, "the file's name cannot name a policy: %s", err)
		return
	}
	b.add(Policy(name, rules), at, problems)
}

// auth adds an auth method and what lives below it.
func (b *builder) auth(r record, problems *Problems) {
	path, ok := b.path(r, problems)
	if !ok {
		return
	}
	kind := r.text("type")
	fields := pick(r, "description", "local", "seal_wrap")
	// What bank-vaults calls options of an auth method are the mount's settings.
	if options, ok := r.values["options"].(record); ok {
		fields["config"] = options.values
	}
	b.add(AuthMount(path, kind, fields), r.at, problems)
	if config, ok := r.values["config"].(map[string]any); ok {
		b.add(AuthConfig(path, kind, config), r.places["config"], problems)
	}
	for _, role := range r.records("roles") {
		if name, ok := b.name(role, "name", problems); ok {
			b.add(Role(path, kind, name, role.rest), role.at, problems)
		}
	}
	users := r.records("users")
	if len(users) > 0 && kind != "userpass" {
		problems.add(users[0].at, "users of the auth method %q are not supported yet by this version", kind)
		return
	}
	for _, user := range users {
		if name, ok := b.name(user, "username", problems); ok {
			b.add(User(path, name, user.rest), user.at, problems)
		}
	}
}

// pick returns those of r's values that are there.
func pick(r record, names ...string) map[string]any {
	fields := map[string]any{}
	for _, name := range names {
		if value, ok := r.values[name]; ok {
			fields[name] = value
		}
	}
	return fields
}

// add keeps o, unless its place is taken.
func (b *builder) add(o Object, at Position, problems *Problems) {
	o.Position = at
	if first, ok := b.places[o.ID]; ok {
		problems.add(at, "%s is declared twice, first at %s", o.ID, first)
		return
	}
	if b.places == nil {
		b.places = map[ID]Position{}
	}
	b.places[o.ID] = at
	b.objects = append(b.objects, o)
}

// finish checks what only the whole seed shows.
func (b *builder) finish(problems *Problems) {
	for _, clash := range clashes(b.objects) {
		problems.add(clash.inner.Position, "%s lies below %s (declared at %s): Vault has no mount within a mount",
			clash.inner.ID, clash.outer.ID, clash.outer.Position)
	}
}

// path returns where r is enabled: its path, or its type.
func (b *builder) path(r record, problems *Problems) (string, bool) {
	path := r.text("path")
	if path == "" {
		path = r.text("type")
	}
	if path == "" { // the missing type was reported
		return "", false
	}
	if err := checkPath(trim(path)); err != nil {
		problems.add(r.at, "the path %q cannot be used: %s", path, err)
		return "", false
	}
	return trim(path), true
}

// name returns the name of r.
func (b *builder) name(r record, key string, problems *Problems) (string, bool) {
	name, ok := r.values[key].(string)
	if !ok { // reported already
		return "", false
	}
	if err := checkName(name); err != nil {
		problems.add(r.at, "the name %q cannot be used: %s", name, err)
		return "", false
	}
	return name, true
}

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
	case strings.ContainsAny(name, "/*+"):
		return fmt.Errorf(`it holds "/", "*" or "+"`)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("it begins or ends with a space")
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("it holds a control character")
	}
	return nil
}
