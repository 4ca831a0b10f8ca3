package seed

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// remove deletes an object of which only its ID is known. kept is true when Vault has
// no way to delete it.
func (a *applying) remove(ctx context.Context, id ID) (kept bool, err error) {
	path := id.catalogPath()
	if alias, isAlias := aliasOf(id); isAlias {
		found, err := aliasID(ctx, a.api, alias)
		if err != nil || found == "" {
			return false, err
		}
		path = alias.ns + "identity/" + alias.of + "-alias/id/" + found
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

// aliasPlace is the ID of an alias taken apart: its namespace, whether it is one of an
// entity or a group, the name of that, its own name and the path of the auth method.
type aliasPlace struct{ ns, of, owner, name, mount string }

// aliasOf takes id apart if it is that of an alias.
func aliasOf(id ID) (place aliasPlace, isAlias bool) {
	ns, own := id.parts()
	for _, of := range []string{"entity", "group"} {
		rest, found := strings.CutPrefix(own, "identity/"+of+"-alias/")
		parts := strings.SplitN(rest, "/", 3)
		if !found || len(parts) != 3 {
			continue
		}
		owner, ownerErr := url.PathUnescape(parts[0])
		name, nameErr := url.PathUnescape(parts[1])
		return aliasPlace{ns, of, owner, name, parts[2]}, ownerErr == nil && nameErr == nil
	}
	return aliasPlace{}, false
}

// ownerPath returns the path of the entity or group.
func (p aliasPlace) ownerPath() string { return p.ns + "identity/" + p.of + "/name/" + p.owner }

// aliasID returns Vault's own ID of the alias at p, "" if it is not there.
func aliasID(ctx context.Context, api reader, p aliasPlace) (string, error) {
	shown, found, err := api.Read(ctx, p.ownerPath())
	if err != nil || !found {
		return "", err
	}
	accessor, found, err := finder{reader: api}.find(ctx, p.ns, value.Part{Call: value.CallAccessor, Args: []string{p.mount}})
	if err != nil || !found {
		return "", err
	}
	alias, there := seeAlias(Object{Data: map[string]any{"name": p.name, "mount_accessor": accessor}}, shown)
	if !there {
		return "", nil
	}
	text, _ := alias["id"].(string)
	return text, nil
}
