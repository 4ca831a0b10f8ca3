package seed

import (
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// addValuesLater adds the values of KV engines once all files are read.
func addValuesLater(b *builder, r lang.Record, _ *value.Problems) {
	ns := b.ns
	b.values = append(b.values, func(problems *value.Problems) { b.kv(r, ns, problems) })
}

// kv adds the values that are written to KV engines.
func (b *builder) kv(r lang.Record, ns string, problems *value.Problems) {
	b.ns = ns
	defer func() { b.ns = "" }()
	for _, each := range r.Records("startupSecrets") {
		b.startup(each, problems)
	}
	for _, each := range r.Records("secretsOnce") {
		path, err := value.CheckWritten(each.Text("path"))
		if err != nil {
			problems.Add(each.At, "the path %q cannot be used: %s", each.Text("path"), err)
			continue
		}
		mount, ok := b.engine(ns + path)
		if !ok || mount.Type != "kv" {
			problems.Add(each.At, "%q is not in a kv engine that the seed declares: declare the engine, even if it exists already", path)
			continue
		}
		root := strings.TrimPrefix(string(mount.ID), ns+"sys/mounts/")
		name := strings.TrimPrefix(path, root+"/")
		if object.IsVersion2(mount) && strings.HasPrefix(name, "data/") {
			b.warnings = append(b.warnings, value.Problem{Position: each.At, Text: fmt.Sprintf("%q is written to %s/data/%s: paths of secretsOnce are those of the vault CLI, without data/", path, root, name)})
		}
		values := value.WithGenerators(each.Mapping("data"), each.At, problems)
		b.add(object.OnceValue(root, object.IsVersion2(mount), name, values), each.At, problems)
	}
}

// startup adds one of bank-vaults' startup secrets.
func (b *builder) startup(r lang.Record, problems *value.Problems) {
	data := r.Inner("data")
	path, err := value.CheckWritten(r.Text("path"))
	if err != nil {
		problems.Add(r.At, "the path %q cannot be used: %s", r.Text("path"), err)
		return
	}
	values, references := data.Mapping("data"), data.Records("secretKeyRef")
	if (values == nil) == (references == nil) {
		problems.Add(r.At, "data needs one of data and secretKeyRef")
		return
	}
	for _, each := range references {
		values = value.Merged(values, map[string]any{each.Text("key"): value.Reference(value.CallSecret, each.At, each.Text("name"), each.Text("key"))})
	}
	mount, declared := b.engine(b.ns + path)
	id := object.ID(strings.TrimPrefix(string(mount.ID), b.ns))
	if r.Text("type") == "pki" {
		b.add(object.CABundle(id, path, values, r.At), r.At, problems)
		return
	}
	wrapped := !declared || object.IsVersion2(mount)
	b.add(object.StartupValue(id, path, wrapped, values, data.Mapping("options")), r.At, problems)
}

// saved sets the path in KV at which Vault's answer to o is kept.
func (b *builder) saved(o object.Object, r lang.Record, ns string, problems *value.Problems) object.Object {
	if _, given := r.Values["save_to"]; !given {
		return o
	}
	path, err := value.CheckWritten(r.Text("save_to"))
	if err != nil {
		problems.Add(r.Positions["save_to"], "save_to: the path %q cannot be used: %s", r.Text("save_to"), err)
		return o
	}
	saving := &object.Saving{Path: ns + path, Wrapped: true}
	o.Traits.SaveTo = saving
	// Whether the engine takes values under "data" is known once all files are read.
	b.values = append(b.values, func(*value.Problems) {
		if mount, ok := b.engine(saving.Path); ok {
			saving.Wrapped = object.IsVersion2(mount)
		}
	})
	return o
}

// engine returns the declared secrets engine that holds path.
func (b *builder) engine(path string) (object.Object, bool) {
	var found object.Object
	for _, o := range b.objects {
		mount, ok := strings.CutPrefix(string(o.ID), o.Namespace+"sys/mounts/")
		if ok && o.IsMount() && strings.HasPrefix(path, o.Namespace+mount+"/") && len(o.ID) > len(found.ID) {
			found = o
		}
	}
	return found, found.ID != ""
}
