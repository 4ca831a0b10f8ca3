package seed

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// remove deletes an object of which only its ID is known. kept is true when Vault has
// no way to delete it.
func (a *applying) remove(ctx context.Context, id object.ID) (kept bool, err error) {
	path := id.CatalogPath()
	if alias, isAlias := object.ParseAlias(id); isAlias {
		found, err := aliasID(ctx, a.api, alias)
		if err != nil || found == "" {
			return false, err
		}
		path = alias.Namespace + "identity/" + alias.Of + "-alias/id/" + found
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

// aliasID returns Vault's own ID of the alias at p, "" if it is not there.
func aliasID(ctx context.Context, api reader, p object.Alias) (string, error) {
	shown, found, err := api.Read(ctx, p.OwnerPath())
	if err != nil || !found {
		return "", err
	}
	accessor, found, err := finder{reader: api}.find(ctx, p.Namespace, value.Part{Call: value.CallAccessor, Args: []string{p.Mount}})
	if err != nil || !found {
		return "", err
	}
	alias, there := object.FindAlias(object.Object{Data: map[string]any{"name": p.Name, "mount_accessor": accessor}}, shown)
	if !there {
		return "", nil
	}
	text, _ := alias["id"].(string)
	return text, nil
}
