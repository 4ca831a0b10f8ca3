package object

import (
	"net/url"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Entity returns the identity entity name.
func Entity(name string, fields map[string]any) Object {
	return Object{ID: ID("identity/entity/name/" + name), Stage: StageIdentity, Data: fields, Endpoint: "entity", Folded: len(name)}
}

// Group returns the identity group name. members and groups are names.
func Group(name string, fields map[string]any, members, groups []any, at value.Position) Object {
	data := map[string]any{"type": "internal"}
	for field, value := range fields {
		data[field] = value
	}
	for field, names := range map[string][]any{"member_entity_ids": members, "member_group_ids": groups} {
		if names == nil {
			continue
		}
		call := map[string]string{"member_entity_ids": value.CallEntity, "member_group_ids": value.CallGroup}[field]
		ids := make([]any, len(names))
		for i, each := range names {
			text, _ := each.(string)
			ids[i] = value.Reference(call, at, text)
		}
		data[field] = ids
	}
	return Object{ID: ID("identity/group/name/" + name), Stage: StageGroups, Data: data, Endpoint: "group", Folded: len(name)}
}

// NewAlias returns an alias of the entity or group (of) that owner names. Vault shows an alias only
// with its owner, which can be read by name: an alias can be addressed only by its ID.
func NewAlias(of, owner, mount string, name any, custom map[string]any, at value.Position) Object {
	text, _ := name.(string)
	if t, ok := name.(value.Template); ok {
		text = t.Source
	}
	// The ID is ours: names of aliases may contain anything.
	names, tail := escapeName(owner)+"/"+escapeName(text), "/"+value.TrimPath(mount)
	id := "identity/" + of + "-alias/" + names + tail
	data := map[string]any{"name": name, "mount_accessor": value.Reference(value.CallAccessor, at, value.TrimPath(mount))}
	if custom != nil {
		data["custom_metadata"] = custom
	}
	call := map[string]string{"entity": value.CallEntity, "group": value.CallGroup}[of]
	return Object{
		ID: ID(id), Stage: StageAliases, Mount: ID("sys/auth/" + value.TrimPath(mount)), Data: data, Endpoint: of + "-alias", Position: at,
		Folded: len(names), tail: len(tail),
		Traits: Traits{
			Read: "identity/" + of + "/name/" + owner, Write: "identity/" + of + "-alias",
			Extra:   map[string]any{"canonical_id": value.Reference(call, at, owner)},
			Extract: inPlaceOf,
			Key:     "id",
		},
	}
}

// escapeName escapes a name as one segment of a path.
func escapeName(name string) string { return strings.ReplaceAll(url.PathEscape(name), "%20", " ") }

// inPlaceOf finds what Vault has in place of the alias o: o itself, or one that excludes it. An
// entity has one alias per mount, and Vault 1.21 refuses a second one; a group has only one. So an
// existing alias with another name has to be renamed.
func inPlaceOf(o Object, owner map[string]any) (map[string]any, bool) {
	if shown, there := FindAlias(o, owner); there {
		return shown, true
	}
	return findAlias(owner, func(shown map[string]any) bool {
		return o.Endpoint == "group-alias" || value.Same("mount_accessor", o.Data["mount_accessor"], shown["mount_accessor"])
	})
}

// FindAlias finds o among the aliases that its owner shows.
func FindAlias(o Object, owner map[string]any) (map[string]any, bool) {
	return findAlias(owner, func(shown map[string]any) bool {
		return value.Same("name", o.Data["name"], shown["name"]) && value.Same("mount_accessor", o.Data["mount_accessor"], shown["mount_accessor"])
	})
}

func findAlias(owner map[string]any, fits func(shown map[string]any) bool) (map[string]any, bool) {
	candidates, _ := owner["aliases"].([]any)
	if one, ok := owner["alias"]; ok {
		candidates = []any{one}
	}
	for _, candidate := range candidates {
		if shown, _ := candidate.(map[string]any); len(shown) > 0 && fits(shown) {
			return shown, true
		}
	}
	return nil, false
}
