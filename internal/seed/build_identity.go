package seed

import (
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// addIdentity adds entities, groups and their aliases.
func addIdentity(b *builder, r lang.Record, problems *value.Problems) {
	for _, each := range r.Records("entities") {
		b.childNamed(each, "name", value.CheckWholeName, problems, func(name string) object.Object {
			return object.Entity(name, pick(each, "policies", "metadata", "disabled"))
		})
	}
	for _, each := range r.Records("groups") {
		members, _ := each.Values["members"].([]any)
		groups, _ := each.Values["member_groups"].([]any)
		for _, member := range append(append([]any{}, members...), groups...) {
			if _, plain := member.(string); !plain {
				problems.Add(each.At, "members and member_groups must be names; they cannot hold references")
				return
			}
		}
		b.childNamed(each, "name", value.CheckWholeName, problems, func(name string) object.Object {
			return object.Group(name, pick(each, "type", "policies", "metadata"), members, groups, each.At)
		})
	}
	for _, of := range []string{"entity", "group"} {
		for _, each := range r.Records(of + "-aliases") {
			owner, mount := each.Text(of), each.Text("mountpath")
			if owner == "" || mount == "" || each.Values["name"] == nil { // reported already
				continue
			}
			if err := value.CheckWholeName(owner); err != nil {
				problems.Add(each.At, "the name %q cannot be used: %s", owner, err)
				continue
			}
			b.add(object.NewAlias(of, owner, mount, each.Values["name"], each.Mapping("custom_metadata"), each.At), each.At, problems)
		}
	}
}

// checkAliases reports aliases that Vault cannot hold in addition to another one.
func checkAliases(objects []object.Object, problems *value.Problems) {
	first := map[string]value.Position{}
	for _, o := range objects {
		if o.Stage != object.StageAliases {
			continue
		}
		alias, _ := object.ParseAlias(o.ID)
		owner := strings.ToLower(alias.OwnerPath())
		slot, has := owner, "a group has one alias"
		if o.Endpoint == "entity-alias" {
			slot, has = owner+" at "+string(o.Mount), "an entity has one alias at each auth method"
		}
		if at, taken := first[slot]; taken {
			problems.Add(o.Position, "%s: %s, and there is one at %s", o.ID, has, at)
			continue
		}
		first[slot] = o.Position
	}
}
