package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// Left is an object of ours that the seed no longer names but that is kept.
type Left struct {
	ID     object.ID
	Reason string
}

// prune adds the deletions to the plan.
func (p *Plan) prune(ctx context.Context, api reader, goal Goal) error {
	known, gone := object.SitesOf(goal.Owned, goal.Objects, goal.Prune.Tombstones), goal.undeclared()
	removed := removalsOf(goal.Prune, gone, known)
	ways := deletions{api: p.words.api, known: map[string]bool{}}
	held := map[object.ID][]object.ID{} // what lies in each of those
	for _, id := range gone {
		if holder, goes := removed.holder(id); goes {
			held[holder] = append(held[holder], id)
		}
	}
	for _, id := range gone {
		at := known.Of(id)
		if _, goes := removed.holder(id); goes || goal.Prune.Excludes(at) || p.renamed(id) {
			continue
		}
		there, err := stillThere(ctx, api, id, at)
		_, buried := removed[id]
		switch {
		case at.HoldsData() && !buried && (there || httpstatus.Of(err) == http.StatusForbidden):
			p.Left = append(p.Left, Left{id, "it may hold data: to delete it with everything in it, give it a tombstone in the seed"})
			continue
		case err != nil:
			return fmt.Errorf("looking for %s, which the seed no longer names: %w", id, err)
		case !there:
			p.Forget = append(p.Forget, append(held[id], id)...)
			continue
		}
		switch deletable, err := ways.deletable(ctx, id, at); {
		case err != nil:
			return err
		case !deletable:
			p.Left = append(p.Left, Left{id, "Vault has no way to delete it: it stays as it is"})
			p.Forget = append(p.Forget, id)
			continue
		}
		p.Changes = append(p.Changes, Change{Object: object.Object{ID: id, Order: at.DeletionOrder()}, Action: Delete, Stage: object.StageDeletions, Holds: held[id]})
	}
	return p.foreign(ctx, api, goal, known, removed)
}

// foreign adds to Left what has a tombstone and exists, but was not created by us.
func (p *Plan) foreign(ctx context.Context, api reader, goal Goal, known object.Sites, removed removals) error {
	for _, t := range goal.Prune.Tombstones {
		if _, goes := removed.holder(t.ID); goes || slices.Contains(goal.Owned, t.ID) {
			continue
		}
		there, err := stillThere(ctx, api, t.ID, known.Of(t.ID))
		if err != nil && httpstatus.Of(err) != http.StatusForbidden {
			return fmt.Errorf("looking for %s, which has a tombstone: %w", t.ID, err)
		}
		if there || err != nil {
			p.Left = append(p.Left, Left{t.ID, "it has a tombstone, but we did not create it: remove it by hand, if it exists"})
		}
	}
	return nil
}

// undeclared returns what we created but the seed no longer names, sorted.
func (g Goal) undeclared() []object.ID {
	wanted := declaredIDs(g.Objects)
	for _, id := range g.Keep {
		wanted[id] = true
	}
	// An object that was created under another spelling is the same to Vault.
	renamed := object.SpellingsOf(g.Objects)
	gone := slices.DeleteFunc(slices.Clone(g.Owned), func(id object.ID) bool { return wanted[id] || renamed.Hold(id) })
	slices.Sort(gone)
	return gone
}

// removals holds the mounts and namespaces to delete with everything in them, each with the prefix
// of the IDs of its content.
type removals map[object.ID]string

// removalsOf returns those of gone that have a tombstone. They are determined first, since their
// content must not be deleted separately.
func removalsOf(p object.Prune, gone []object.ID, known object.Sites) removals {
	found := removals{}
	for _, id := range gone {
		at := known.Of(id)
		if p.HasTombstone(id) && !p.Excludes(at) {
			found[id] = at.Content()
		}
	}
	return found
}

// holder returns the removal that contains id: the outermost, if there are several.
func (r removals) holder(id object.ID) (holder object.ID, found bool) {
	shortest := string(id)
	for each, beginning := range r {
		if strings.HasPrefix(string(id), beginning) && len(beginning) < len(shortest) {
			holder, shortest = each, beginning
		}
	}
	return holder, holder != ""
}

// stillThere reports whether an object exists of which only the ID is known.
func stillThere(ctx context.Context, api reader, id object.ID, at object.Site) (bool, error) {
	if listing, _ := at.Listing(); listing != "" {
		entries, _, err := api.Read(ctx, listing)
		_, there := entries[strings.TrimPrefix(string(id), listing+"/")+"/"]
		return there, err
	}
	if alias, isAlias := object.ParseAlias(id); isAlias {
		found, err := aliasID(ctx, api, alias)
		return found != "", err
	}
	shown, there, err := api.Read(ctx, id.CatalogPath())
	if id.IsPlugin() && shown["builtin"] == true { // Vault shows its own where there is no other
		return false, err
	}
	if code := httpstatus.Of(err); code == http.StatusMethodNotAllowed || code == http.StatusBadRequest {
		return true, nil
	}
	return there, err
}

func declaredIDs(objects []object.Object) map[object.ID]bool {
	ids := make(map[object.ID]bool, len(objects))
	for _, o := range objects {
		ids[o.ID] = true
	}
	return ids
}

// remove deletes an object of which only the ID is known. kept is true if Vault cannot delete it.
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
	switch code := httpstatus.Of(err); {
	case code == http.StatusMethodNotAllowed, code == http.StatusBadRequest && strings.Contains(err.Error(), "unsupported operation"):
		return true, nil
	case code == http.StatusBadRequest:
		// What Vault answers with 400 to reading and to deleting alike will never go. Most of it is
		// not there: Vault 1.21 says 'no such CRL' to both.
		if _, _, readErr := a.api.Read(ctx, path); httpstatus.Of(readErr) == http.StatusBadRequest {
			return true, nil
		}
	}
	if err == nil {
		err = a.removeFolded(ctx, path)
	}
	if err != nil {
		return false, fmt.Errorf("deleting %s: %w", id, err)
	}
	return false, nil
}

// aliasID returns Vault's own ID of the alias p, or "" if it does not exist.
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
