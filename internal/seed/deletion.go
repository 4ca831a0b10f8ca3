package seed

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// remove deletes an object of which only its ID is known. kept is true when Vault has
// no way to delete it.
func (a *applying) remove(ctx context.Context, id ID) (kept bool, err error) {
	path := string(id)
	if _, isAlias := aliasOwner(id); isAlias {
		found, err := aliasID(ctx, a.api, id)
		if err != nil || found == "" {
			return false, err
		}
		before, _, _ := strings.Cut(path, "-alias/")
		path = before + "-alias/id/" + found
	}
	if name, _, versioned := strings.Cut(path, "@"); versioned && strings.Contains(path, "sys/plugins/catalog/") {
		path = name
	}
	err = a.api.Delete(ctx, path)
	if code := status(err); code == http.StatusMethodNotAllowed || code == http.StatusBadRequest && strings.Contains(err.Error(), "unsupported operation") {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("deleting %s: %w", id, err)
	}
	return false, nil
}

// aliasOwner returns the path of the entity or group whose alias id is.
func aliasOwner(id ID) (path string, isAlias bool) {
	for _, of := range []string{"entity", "group"} {
		ns, rest, found := strings.Cut(string(id), "identity/"+of+"-alias/")
		parts := strings.SplitN(rest, "/", 3)
		if !found || len(parts) != 3 {
			continue
		}
		owner, err := url.PathUnescape(parts[0])
		return ns + "identity/" + of + "/name/" + owner, err == nil
	}
	return "", false
}

// aliasID returns Vault's own ID of an alias, "" if it is not there.
func aliasID(ctx context.Context, api reader, id ID) (string, error) {
	owner, _ := aliasOwner(id)
	_, rest, _ := strings.Cut(string(id), "-alias/")
	parts := strings.SplitN(rest, "/", 3)
	ns, _, _ := strings.Cut(string(id), "identity/")
	name, err := url.PathUnescape(parts[1])
	if err != nil {
		return "", fmt.Errorf("the ID %q is none of ours: %w", id, err)
	}
	shown, found, err := api.Read(ctx, owner)
	if err != nil || !found {
		return "", err
	}
	accessor, found, err := finder{reader: api}.find(ctx, ns, part{call: callAccessor, args: []string{parts[2]}})
	if err != nil || !found {
		return "", err
	}
	alias, there := seeAlias(Object{Data: map[string]any{"name": name, "mount_accessor": accessor}}, shown)
	if !there {
		return "", nil
	}
	text, _ := alias["id"].(string)
	return text, nil
}
