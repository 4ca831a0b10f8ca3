package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// documentDiff compares an object that has its own path. A field that Vault does not show, or shows
// in another form, counts as unchanged if its hash matches.
//
// Without the key of the hashes there is nothing to compare with: what was applied before then
// counts as unchanged, and is reported as not compared.
func documentDiff(o object.Object, shown map[string]any, memory Memory, now map[string]string) (fields []FieldChange, unseen, blind []string) {
	for _, name := range slices.Sorted(maps.Keys(o.Data)) {
		want := o.Data[name]
		v, there := shown[name]
		if there && o.Same(name, want, v) || !there && !o.Traits.Exact && value.IsEmpty(value.Reveal(want)) {
			continue
		}
		if before := memory.remembered(o.ID, name); before != "" && before == now[name] {
			unseen = append(unseen, name)
			continue
		}
		if memory.HashKey.Empty() && (memory.Hashes[string(o.ID)][name] != "" || memory.Lost && (!there || value.IsSensitive(name))) {
			blind = append(blind, name)
			continue
		}
		fields = append(fields, fieldChange(o, name, v, want))
	}
	for _, name := range o.Surplus(shown) {
		fields = append(fields, FieldChange{Field: name, Sensitive: true}) // whole objects are values
	}
	return fields, unseen, blind
}

// fixedFields adds a refusal for each changed field that Vault accepts only at creation.
func fixedFields(o object.Object, fields []FieldChange, refusals []Refusal) []Refusal {
	for _, f := range fields {
		if slices.Contains(object.FixedAtCreation(o), f.Field) {
			refusals = append(refusals, Refusal{
				Object: o, Reason: fmt.Sprintf("%s can be set only when the object is created", f.Field),
				Remedy: "Delete the object and run again, or change the seed to the field's present value.",
			})
		}
	}
	return refusals
}

// tableDiff compares a mount or audit device with its entry in Vault's listing. What cannot be
// changed is added to refusals.
func tableDiff(o object.Object, entry map[string]any, refusals []Refusal) ([]FieldChange, []Refusal) {
	var fields []FieldChange
	want := object.Flatten(o)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		shown := object.Lookup(entry, name)
		if object.SameSetting(name, want[name], shown) {
			continue
		}
		change := fieldChange(o, name, shown, want[name])
		if reason, remedy := immutable(o, change); reason != "" {
			refusals = append(refusals, Refusal{Object: o, Reason: reason, Remedy: remedy})
			continue
		}
		fields = append(fields, change)
	}
	return fields, refusals
}

// immutable returns why a setting cannot be changed in place, and what a person can do; "" if it
// can.
func immutable(o object.Object, change FieldChange) (reason, remedy string) {
	listing, path := o.Table()
	listing = strings.TrimPrefix(listing, o.Namespace)
	command := map[string]string{"sys/audit": "vault audit disable ", "sys/auth": "vault auth disable ", "sys/mounts": "vault secrets disable "}[listing] + path
	differs := fmt.Sprintf("%s is %s, the seed wants %s", change.Field, show(change.Old), show(change.New))
	if change.Sensitive {
		differs = change.Field + " differs from what the seed wants"
	}
	switch {
	case o.IsAudit():
		return differs + "; Vault cannot change an audit device in place, and removing it to add it again would leave a gap in the audit log",
			fmt.Sprintf("Declare the new device under another path, run, and remove the old one by hand (%s); or change the seed to its present settings.", command)
	case change.Field == "type":
		return differs + "; Vault cannot change the type of a mount",
			fmt.Sprintf("Use another path, or disable the mount by hand, with everything in it (%s).", command)
	case change.Field == "options.version" && o.Type == "kv" && fmt.Sprint(change.Old) == "2":
		return differs + "; Vault cannot downgrade a kv mount",
			"Keep version 2 in the seed, or declare a version 1 mount at another path and copy what it should hold."
	case slices.Contains([]string{"local", "seal_wrap", "external_entropy_access", "config.force_no_cache"}, change.Field):
		return differs + "; Vault accepts it only when the mount is created",
			fmt.Sprintf("Change the seed to the present setting, use another path, or disable the mount by hand, with everything in it (%s).", command)
	}
	return "", ""
}
