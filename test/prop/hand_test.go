package prop_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// call is a request of an administrator. The path is as people write it.
func (sc *scene) call(ctx context.Context, method, path string, in, out any) error {
	query := ""
	if at := strings.LastIndex(path, "?"); at >= 0 {
		path, query = path[:at], path[at:]
	}
	return sc.node.Call(ctx, method, (&url.URL{Path: path}).EscapedPath()+query, sc.root, in, out)
}

// meddle makes a change by hand.
func (sc *scene) meddle(ctx context.Context, items []*item, e edit) error {
	at := slices.IndexFunc(items, func(it *item) bool { return it.full() == e.id })
	if at < 0 {
		return nil
	}
	it := items[at]
	if e.do == "delete" {
		return sc.remove(ctx, it)
	}
	twin := it.copy()
	if twin.field(e.field) == nil {
		return nil
	}
	*twin.field(e.field) = e.value
	path, body := twin.byHand(e.field)
	return sc.call(ctx, http.MethodPut, path, body, nil)
}

// byHand is the request that changes one field.
func (it *item) byHand(name string) (path string, body map[string]any) {
	path, body = it.ns+it.write, map[string]any{}
	changed := it.field(name).wire()
	switch {
	case it.isMount():
		parts := strings.Split(name, " > ")
		inner := map[string]any{parts[len(parts)-1]: changed}
		if len(parts) == 3 {
			inner = map[string]any{parts[1]: inner}
		}
		return it.ns + it.id + "/tune", inner
	case it.place[0] == "policies" || it.place[0] == "password-policies":
		return path, map[string]any{"policy": changed}
	case it.value && it.second:
		return it.ns + it.id, map[string]any{"data": it.field("data > data").wire()}
	case it.value:
		return it.ns + it.id, it.field("data > data").wire().(map[string]any)
	case it.place[0] == "ui-headers":
		if _, many := changed.([]any); !many {
			changed = []any{changed}
		}
		return path, map[string]any{"values": changed}
	case it.alone || strings.HasSuffix(it.write, "/config") && strings.Contains(it.write, "/keys/"):
		return path, map[string]any{name: changed}
	}
	for _, f := range it.fields {
		if of := it.spec(f.name); of.fixed && !of.must { // some are taken at creation only
			continue
		}
		if !ours(f.name) || it.spec(f.name).only != "" || f.name == "path" && it.place[0] == "quotas" {
			body[f.name] = f.value.wire()
		}
	}
	if it.shape == bare { // of github
		texts := []string{}
		for _, each := range it.fields[0].value.items {
			texts = append(texts, each.text)
		}
		body = map[string]any{"value": strings.Join(texts, ",")}
	}
	return path, body
}

// remove deletes an object by hand.
func (sc *scene) remove(ctx context.Context, it *item) error {
	path := it.ns + it.id
	if it.place[0] == "plugins" {
		var version string
		path, version, _ = strings.Cut(path, "@")
		if version != "" {
			path += "?version=" + version
		}
	}
	if it.of != "" {
		found, err := sc.alias(ctx, it)
		if err != nil {
			return err
		}
		path = it.ns + "identity/" + it.of + "-alias/id/" + found
	}
	if err := sc.call(ctx, http.MethodDelete, path, nil, nil); err != nil {
		return err
	}
	// Roles of gcp, and on OpenBao 2.6 users and groups of ldap, are kept in lower case, and deleted as
	// the name is given: one with capitals stays, whatever the server answers.
	lower := strings.TrimSuffix(path, it.name) + strings.ToLower(it.name)
	if !strings.HasPrefix(it.mount, "sys/auth/") || it.name == "" || lower == path {
		return nil
	}
	if left, err := sc.there(ctx, path); err != nil || !left {
		return err
	}
	return sc.call(ctx, http.MethodDelete, lower, nil, nil)
}

// alias returns the ID that Vault has for an alias.
func (sc *scene) alias(ctx context.Context, it *item) (string, error) {
	type alias struct{ ID, Name string }
	var owner struct {
		Data struct {
			Aliases []alias
			Alias   alias
		}
	}
	if err := sc.call(ctx, http.MethodGet, it.owner, nil, &owner); err != nil {
		return "", err
	}
	for _, each := range append(owner.Data.Aliases, owner.Data.Alias) {
		if strings.EqualFold(each.Name, it.name) {
			return each.ID, nil
		}
	}
	return "", fmt.Errorf("%s has no alias %q", it.owner, it.name)
}

// there reports whether Vault still shows an object by its path, for what is read there.
func (sc *scene) there(ctx context.Context, id string) (bool, error) {
	err := sc.call(ctx, http.MethodGet, id, nil, nil)
	if refused, ok := errors.AsType[*testbed.VaultError](err); ok && (refused.Status == http.StatusNotFound || refused.Status == http.StatusBadRequest) {
		return false, nil
	}
	return err == nil, err
}
