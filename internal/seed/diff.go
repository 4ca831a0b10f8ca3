package seed

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// fixedAtCreation lists the fields of o that Vault takes only when it is made.
func fixedAtCreation(o Object) []string {
	if o.how.split != nil {
		return o.how.split.fixed
	}
	if o.endpoint == "approle/role" {
		return []string{"local_secret_ids"}
	}
	return nil
}

// allFields returns the fields of an object that is to be created.
func allFields(o Object) []FieldChange {
	var fields []FieldChange
	flat := flatten(o)
	for _, name := range slices.Sorted(maps.Keys(flat)) {
		fields = append(fields, fieldChange(o, name, nil, flat[name]))
	}
	return fields
}

func fieldChange(o Object, name string, shown, want any) FieldChange {
	if o.how.hushed || value.Hidden(want) || value.Hidden(value.ProtectValue(shown, value.IsSensitive(value.Leaf(name)))) {
		return FieldChange{Field: name, Sensitive: true}
	}
	return FieldChange{Field: name, Old: shown, New: value.Reveal(want)}
}

// documentDiff compares an object that has a path of its own. A field that Vault
// does not show, or shows in another form, counts as unchanged when its hash says so.
//
// Without the key of the hashes there is nothing to compare with: what was applied
// before then counts as unchanged, and is told as not compared.
func documentDiff(o Object, shown map[string]any, memory Memory, now map[string]string) (fields []FieldChange, unseen, blind []string) {
	for _, name := range slices.Sorted(maps.Keys(o.Data)) {
		want := o.Data[name]
		v, there := shown[name]
		if there && o.same(name, want, v) || !there && !o.how.exact && value.IsEmpty(value.Reveal(want)) {
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
	for _, name := range o.surplus(shown) {
		fields = append(fields, FieldChange{Field: name, Sensitive: true}) // whole objects are values
	}
	return fields, unseen, blind
}

// fixedFields adds a refusal for each changed field that Vault takes only at creation.
func fixedFields(o Object, fields []FieldChange, refusals []Refusal) []Refusal {
	for _, f := range fields {
		if slices.Contains(fixedAtCreation(o), f.Field) {
			refusals = append(refusals, Refusal{
				o, fmt.Sprintf("%s can be set only when the object is made", f.Field),
				"Delete the object and run again, or take the field as it is into the seed.",
			})
		}
	}
	return refusals
}

// tableDiff compares a mount or audit device with its entry in Vault's listing.
// What cannot be put right is added to refusals.
func tableDiff(o Object, entry map[string]any, refusals []Refusal) ([]FieldChange, []Refusal) {
	var fields []FieldChange
	want := flatten(o)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		shown := lookup(entry, name)
		if sameSetting(name, want[name], shown) {
			continue
		}
		change := fieldChange(o, name, shown, want[name])
		if reason, wayOut := immutable(o, change); reason != "" {
			refusals = append(refusals, Refusal{o, reason, wayOut})
			continue
		}
		fields = append(fields, change)
	}
	return fields, refusals
}

// flatten returns o's fields with those of config and options under dotted names,
// since only the ones that the seed names are ours.
func flatten(o Object) map[string]any {
	flat := map[string]any{}
	for name, value := range o.Data {
		inner, nested := value.(map[string]any)
		if !nested || !o.isMount() && !o.isAudit() {
			flat[name] = value
			continue
		}
		for key, v := range inner {
			if lockout, ok := v.(map[string]any); ok && key == lockoutConfig {
				for field, value := range lockout {
					flat[name+"."+key+"."+field] = value
				}
				continue
			}
			flat[name+"."+key] = v
		}
	}
	return flat
}

// lockoutConfig is a setting of auth methods that holds several, and that Vault takes
// by tuning only.
const lockoutConfig = "user_lockout_config"

// lookup returns what entry shows under a dotted name.
func lookup(entry map[string]any, name string) any {
	outer, inner, nested := strings.Cut(name, ".")
	if !nested {
		return entry[name]
	}
	group, _ := entry[outer].(map[string]any)
	shown := group[inner]
	if name == "config.plugin_version" {
		return entry[inner]
	}
	if field, ok := strings.CutPrefix(inner, lockoutConfig+"."); ok { // shown under longer names
		lockout, _ := group[lockoutConfig].(map[string]any)
		return lockout["user_"+field]
	}
	if shown == nil && name == "options.version" && entry["type"] == "kv" {
		return "1" // what Vault takes a kv mount without a version for
	}
	return shown
}

// sameSetting compares a setting of a mount or device. Vault's lists of settings
// have no order.
func sameSetting(name string, want, shown any) bool {
	if list, ok := want.([]any); ok {
		other, _ := shown.([]any)
		a, _ := value.AsSet(name, list)
		b, _ := value.AsSet(name, other)
		return slices.Equal(a, b)
	}
	if name == "config.plugin_version" {
		version, _ := value.ScalarText(want)
		other, _ := shown.(string)
		return version == other || version != "" && other != "" && canonicalVersion(version) == canonicalVersion(other)
	}
	return value.Same(name, want, shown)
}

// immutable says why a setting cannot be changed in place, and what a person can
// do; "" when it can.
func immutable(o Object, change FieldChange) (reason, wayOut string) {
	listing, path := o.table()
	listing = strings.TrimPrefix(listing, o.ns)
	command := map[string]string{"sys/audit": "vault audit disable ", "sys/auth": "vault auth disable ", "sys/mounts": "vault secrets disable "}[listing] + path
	differs := fmt.Sprintf("%s is %s, the seed wants %s", change.Field, show(change.Old), show(change.New))
	if change.Sensitive {
		differs = change.Field + " differs from what the seed wants"
	}
	switch {
	case o.isAudit():
		return differs + "; Vault cannot change an audit device in place, and removing it to add it again would leave a gap in the record",
			fmt.Sprintf("Declare the new device under another path, run, and remove the old one by hand (%s); or take its settings into the seed.", command)
	case change.Field == "type":
		return differs + "; Vault cannot change the type of a mount",
			fmt.Sprintf("Use another path, or disable the mount by hand with all that it holds (%s).", command)
	case change.Field == "options.version" && o.Type == "kv" && fmt.Sprint(change.Old) == "2":
		return differs + "; Vault cannot take versions away from a kv mount",
			"Keep version 2 in the seed, or declare a version 1 mount at another path and copy what it should hold."
	case slices.Contains([]string{"local", "seal_wrap", "external_entropy_access", "config.force_no_cache"}, change.Field):
		return differs + "; Vault takes it only when the mount is made",
			fmt.Sprintf("Take the setting as it is into the seed, use another path, or disable the mount by hand with all that it holds (%s).", command)
	}
	return "", ""
}
