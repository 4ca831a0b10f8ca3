package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// An alias is addressed by an ID of Vault's own, so one that is renamed, or moved to another auth
// method, stays the same alias. In the seed it is another object, since we call it by its name.

// findRenamed notes which updates rename an alias that we created: it is not deleted under its
// earlier name, and stays ours.
func (p *Plan) findRenamed(ctx context.Context, api reader, goal Goal) error {
	if !slices.ContainsFunc(p.Changes, Change.updatesAlias) {
		return nil
	}
	gone := goal.undeclaredAliases()
	for i := range p.Changes {
		c := &p.Changes[i]
		own, _ := object.ParseAlias(c.Object.ID)
		if !c.updatesAlias() {
			continue
		}
		for id, before := range gone {
			if before.Namespace != own.Namespace || before.Of != own.Of || !strings.EqualFold(before.Owner, own.Owner) {
				continue
			}
			found, err := aliasID(ctx, api, before)
			if err != nil {
				return fmt.Errorf("looking for %s, which the seed no longer names: %w", id, err)
			}
			if found != "" && found == c.key {
				c.renames = id
			}
		}
	}
	return nil
}

func (c Change) updatesAlias() bool {
	_, isAlias := object.ParseAlias(c.Object.ID)
	return isAlias && c.Action == Update && c.key != nil
}

// undeclaredAliases returns the aliases that we created and the seed no longer names.
func (g Goal) undeclaredAliases() map[object.ID]object.Alias {
	gone := map[object.ID]object.Alias{}
	for _, id := range g.undeclared() {
		if alias, isAlias := object.ParseAlias(id); isAlias {
			gone[id] = alias
		}
	}
	return gone
}

// renamed reports whether an update gives id another name.
func (p *Plan) renamed(id object.ID) bool {
	for _, c := range p.Changes {
		if c.renames == id {
			return true
		}
	}
	return false
}
