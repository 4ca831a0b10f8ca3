package reconcile

import (
	"context"
	"path"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// deletions knows what can be deleted. Much configuration cannot: Vault answers 405 to it.
type deletions struct {
	api Reader
	// known holds Vault's answers, by path or by what the paths of similar objects have in common.
	known map[string]bool
}

// deletable reports whether Vault has a way to delete an object of which only the ID is known.
func (d deletions) deletable(ctx context.Context, id object.ID, at object.Site) (bool, error) {
	if _, isAlias := object.ParseAlias(id); isAlias || at.HoldsData() || id.IsPlugin() {
		return true, nil
	}
	if listing, _ := at.Listing(); listing != "" {
		return true, nil
	}
	// Thousands of roles have one answer. The paths of a configuration have one each.
	key := path.Dir(string(id))
	if strings.Contains(string(id), "config") {
		key = string(id)
	}
	if answer, known := d.known[key]; known {
		return answer, nil
	}
	answer, err := d.api.Deletable(ctx, string(id))
	if err != nil {
		return false, err
	}
	d.known[key] = answer
	return answer, nil
}
