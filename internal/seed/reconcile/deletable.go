package reconcile

import (
	"context"
	"errors"
	"path"
	"reflect"
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

// removeFolded deletes what is still at path after it was deleted there. Some auth methods keep names
// in lower case, and do so when they write and read, but not when they delete: gcp of Vault 1.21,
// and ldap of OpenBao 2.6. They answer 204 all the same, and the role or group stays.
func (a *applying) removeFolded(ctx context.Context, name string) error {
	lower := path.Join(path.Dir(name), strings.ToLower(path.Base(name)))
	if lower == name || !strings.Contains("/"+name, "/auth/") || strings.Contains("/"+name, "/sys/") {
		return nil
	}
	left, there, err := a.api.Read(ctx, name)
	if err != nil || !there {
		return nil //nolint:nilerr // it was deleted, and cannot be seen
	}
	// Both names show the same, or they are two objects.
	if folded, _, err := a.api.Read(ctx, lower); err != nil || !reflect.DeepEqual(left, folded) {
		return errors.Join(errors.New("Vault says that it was deleted, and still shows it"), err) //nolint:staticcheck // Vault is a name
	}
	return a.api.Delete(ctx, lower)
}
