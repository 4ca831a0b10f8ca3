package seed

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// pruneReader collects what the files of a seed say about deletion.
type pruneReader struct {
	object.Prune
	// said is what the seed says of it first: nothing after it may contradict.
	said pruneSaying
}

// pruneSaying is what one place of the seed says of pruning.
type pruneSaying struct {
	words string
	at    value.Position
}

// Prune returns what the seed says about deletion.
func (s *Seed) Prune() object.Prune { return s.prune }

// read takes in what one file says.
func (p *pruneReader) read(r lang.Record, problems *value.Problems) {
	if which := r.Text("prune"); which != "" {
		p.say(which == "owned", pruneSaying{"prune: " + which, r.Places["prune"]}, problems)
	}
	purge := r.Inner("purgeUnmanagedConfig")
	if enabled, said := purge.Values["enabled"].(bool); said {
		p.say(enabled, pruneSaying{fmt.Sprintf("purgeUnmanagedConfig: {enabled: %t}", enabled), purge.Places["enabled"]}, problems)
	}
	excluded := purge.Inner("exclude")
	for _, kind := range lang.PurgeKinds() {
		if excluded.Yes(kind) || kind == "group-aliases" && excluded.Yes("groupAliases") {
			p.Exclude = append(p.Exclude, kind)
		}
	}
	for _, each := range r.Records("tombstones") {
		if t, ok := readTombstone(each, problems); ok {
			p.Tombstones = append(p.Tombstones, t)
		}
	}
}

// say takes in whether what is ours is deleted, as one place of the seed says.
func (p *pruneReader) say(owned bool, saying pruneSaying, problems *value.Problems) {
	switch {
	case p.said.words == "":
		p.Owned, p.said = owned, saying
	case p.Owned != owned:
		problems.Add(saying.at, "%s contradicts %s, at %s", saying.words, p.said.words, p.said.at)
	}
}

// check tells tombstones that contradict the rest of the seed.
func (p pruneReader) check(objects []object.Object, problems *value.Problems) {
	if len(p.Tombstones) > 0 && !p.Owned {
		problems.Add(p.Tombstones[0].Position, "tombstones need prune: owned")
	}
	for _, t := range p.Tombstones {
		if p.Excludes(object.Site{Namespace: t.Namespace, Path: strings.TrimPrefix(string(t.ID), t.Namespace)}) && !t.IsNamespace() {
			problems.Add(t.Position, "%s has a tombstone, and purgeUnmanagedConfig excludes what it is", t.ID)
		}
	}
	for _, o := range objects {
		for _, t := range p.Tombstones {
			if o.Mount == t.ID || t.Takes(o.ID) || t.Holds(o, objects) {
				problems.Add(t.Position, "%s has a tombstone and is declared, at %s", o.ID, o.Position)
			}
		}
	}
}

// pruneDigest returns what counts of p for the digest of the seed.
func pruneDigest(p object.Prune) []string {
	texts := []string{fmt.Sprint("prune ", p.Owned)}
	for _, kind := range p.Exclude {
		texts = append(texts, "exclude "+kind)
	}
	for _, t := range p.Tombstones {
		texts = append(texts, "tombstone "+string(t.ID))
	}
	slices.Sort(texts)
	return texts
}

// Left is an object of ours that the seed no longer names and that stays.
type Left struct {
	ID     object.ID
	Reason string
}

// prune adds the deletions to the plan.
func (p *Plan) prune(ctx context.Context, api reader, goal Goal) error {
	if !goal.Prune.Owned {
		return nil
	}
	known, gone := object.SitesOf(goal.Owned, goal.Objects, goal.Prune.Tombstones), goal.undeclared()
	removed := removalsOf(goal.Prune, gone, known)
	held := map[object.ID][]object.ID{} // what lies in each of those
	for _, id := range gone {
		if holder, goes := removed.holder(id); goes {
			held[holder] = append(held[holder], id)
		}
	}
	for _, id := range gone {
		at := known.Of(id)
		if _, goes := removed.holder(id); goes || goal.Prune.Excludes(at) {
			continue
		}
		there, err := stillThere(ctx, api, id, at)
		_, buried := removed[id]
		switch {
		case at.HoldsData() && !buried && (there || status(err) == http.StatusForbidden):
			p.Left = append(p.Left, Left{id, "it may hold data: to have it go with all that it holds, give it a tombstone in the seed"})
			continue
		case err != nil:
			return fmt.Errorf("looking for %s, which the seed no longer names: %w", id, err)
		case !there:
			p.Forget = append(p.Forget, append(held[id], id)...)
			continue
		}
		p.Changes = append(p.Changes, Change{Object: object.Object{ID: id, Order: at.DeletionOrder()}, Action: Delete, Stage: object.StageDeletions, Holds: held[id]})
	}
	return p.foreign(ctx, api, goal, known, removed)
}

// foreign tells of what has a tombstone, is there and was not created by us.
func (p *Plan) foreign(ctx context.Context, api reader, goal Goal, known object.Sites, removed removals) error {
	for _, t := range goal.Prune.Tombstones {
		if _, goes := removed.holder(t.ID); goes || slices.Contains(goal.Owned, t.ID) {
			continue
		}
		there, err := stillThere(ctx, api, t.ID, known.Of(t.ID))
		if err != nil && status(err) != http.StatusForbidden {
			return fmt.Errorf("looking for %s, which has a tombstone: %w", t.ID, err)
		}
		if there || err != nil {
			p.Left = append(p.Left, Left{t.ID, "it has a tombstone, but was not created by us: remove it by hand, if it is there"})
		}
	}
	return nil
}

// undeclared returns what we created and the seed no longer names, sorted.
func (g Goal) undeclared() []object.ID {
	wanted := declaredIDs(g.Objects)
	for _, id := range g.Keep {
		wanted[id] = true
	}
	// What was spelt otherwise when it was made is the same to Vault.
	renamed := object.SpellingsOf(g.Objects)
	gone := slices.DeleteFunc(slices.Clone(g.Owned), func(id object.ID) bool { return wanted[id] || renamed.Hold(id) })
	slices.Sort(gone)
	return gone
}

// removals holds the mounts and namespaces that go with all that they hold, each with the
// beginning of the IDs of that.
type removals map[object.ID]string

// removalsOf returns those of gone that have a tombstone. They are known before anything
// else is judged: what they hold must not be deleted beside them.
func removalsOf(p object.Prune, gone []object.ID, known object.Sites) removals {
	found := removals{}
	for _, id := range gone {
		at := known.Of(id)
		if p.Buries(id) && !p.Excludes(at) {
			found[id] = at.Content()
		}
	}
	return found
}

// holder returns what goes with id in it: the outermost, if there are several.
func (r removals) holder(id object.ID) (holder object.ID, found bool) {
	shortest := string(id)
	for each, beginning := range r {
		if strings.HasPrefix(string(id), beginning) && len(beginning) < len(shortest) {
			holder, shortest = each, beginning
		}
	}
	return holder, holder != ""
}

// stillThere looks for an object of which only its ID is known.
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
	if code := status(err); code == http.StatusMethodNotAllowed || code == http.StatusBadRequest {
		return true, nil
	}
	return there, err
}

// readTombstone reads what one entry of tombstones says.
func readTombstone(r lang.Record, problems *value.Problems) (t object.Tombstone, ok bool) {
	namespace, secrets, auth := value.TrimPath(r.Text("namespace")), value.TrimPath(r.Text("secrets")), value.TrimPath(r.Text("auth"))
	if secrets != "" && auth != "" || namespace+secrets+auth == "" {
		problems.Add(r.At, "a tombstone names one of secrets and auth, or a namespace")
		return t, false
	}
	if word := value.ReservedNamespace(namespace); word != "" {
		problems.Add(r.At, "the namespace %q cannot be used: %s is Vault's own", namespace, word)
		return t, false
	}
	for _, path := range []string{namespace, secrets, auth} {
		if err := value.CheckPath(path); path != "" && err != nil {
			problems.Add(r.At, "the path %q cannot be used: %s", path, err)
			return t, false
		}
	}
	if !r.Yes("destroy") {
		problems.Add(r.At, "a tombstone says destroy: true, since all that the mount or namespace holds is lost")
		return t, false
	}
	t.Position = r.At
	if namespace != "" {
		t.Namespace = namespace + "/"
	}
	switch {
	case secrets != "":
		t.ID = object.ID(t.Namespace + "sys/mounts/" + secrets)
	case auth != "":
		t.ID = object.ID(t.Namespace + "sys/auth/" + auth)
	default:
		t.ID = object.ID("sys/namespaces/" + namespace)
	}
	return t, true
}
