package seed

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// pruneReader collects what the files of a seed say about deletion.
type pruneReader struct {
	Prune
	// said is what the seed says of it first: nothing after it may contradict.
	said pruneSaying
}

// pruneSaying is what one place of the seed says of pruning.
type pruneSaying struct {
	words string
	at    value.Position
}

// Prune returns what the seed says about deletion.
func (s *Seed) Prune() Prune { return s.prune }

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
			p.exclude = append(p.exclude, kind)
		}
	}
	for _, each := range r.Records("tombstones") {
		if t, ok := readTombstone(each, problems); ok {
			p.tombstones = append(p.tombstones, t)
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
func (p pruneReader) check(objects []Object, problems *value.Problems) {
	if len(p.tombstones) > 0 && !p.Owned {
		problems.Add(p.tombstones[0].at, "tombstones need prune: owned")
	}
	for _, t := range p.tombstones {
		if p.excluded(site{t.ns, strings.TrimPrefix(string(t.id), t.ns)}) && !t.isNamespace() {
			problems.Add(t.at, "%s has a tombstone, and purgeUnmanagedConfig excludes what it is", t.id)
		}
	}
	for _, o := range objects {
		for _, t := range p.tombstones {
			if o.Mount == t.id || t.takes(o.ID) || t.holds(o, objects) {
				problems.Add(t.at, "%s has a tombstone and is declared, at %s", o.ID, o.Position)
			}
		}
	}
}

// pruneDigest returns what counts of p for the digest of the seed.
func pruneDigest(p Prune) []string {
	texts := []string{fmt.Sprint("prune ", p.Owned)}
	for _, kind := range p.exclude {
		texts = append(texts, "exclude "+kind)
	}
	for _, t := range p.tombstones {
		texts = append(texts, "tombstone "+string(t.id))
	}
	slices.Sort(texts)
	return texts
}

// owned reports whether o goes into the ledger, so that it can be deleted later:
// values, requests and what is made once stay.
func (o Object) owned() bool {
	return !o.isRequest() && o.Stage != StageValues && !o.how.once
}

// Left is an object of ours that the seed no longer names and that stays.
type Left struct {
	ID     ID
	Reason string
}

// prune adds the deletions to the plan.
func (p *Plan) prune(ctx context.Context, api reader, goal Goal) error {
	if !goal.Prune.Owned {
		return nil
	}
	known, gone := sitesOf(goal.Owned, goal.Objects, goal.Prune.tombstones), goal.undeclared()
	removed := removalsOf(goal.Prune, gone, known)
	held := map[ID][]ID{} // what lies in each of those
	for _, id := range gone {
		if holder, goes := removed.holder(id); goes {
			held[holder] = append(held[holder], id)
		}
	}
	for _, id := range gone {
		at := known.of(id)
		if _, goes := removed.holder(id); goes || goal.Prune.excluded(at) {
			continue
		}
		there, err := stillThere(ctx, api, id, at)
		_, buried := removed[id]
		switch {
		case at.holdsData() && !buried && (there || status(err) == http.StatusForbidden):
			p.Left = append(p.Left, Left{id, "it may hold data: to have it go with all that it holds, give it a tombstone in the seed"})
			continue
		case err != nil:
			return fmt.Errorf("looking for %s, which the seed no longer names: %w", id, err)
		case !there:
			p.Forget = append(p.Forget, append(held[id], id)...)
			continue
		}
		p.Changes = append(p.Changes, Change{Object: Object{ID: id, order: at.deletionOrder()}, Action: Delete, Stage: StageDeletions, Holds: held[id]})
	}
	return p.foreign(ctx, api, goal, known, removed)
}

// foreign tells of what has a tombstone, is there and was not created by us.
func (p *Plan) foreign(ctx context.Context, api reader, goal Goal, known sites, removed removals) error {
	for _, t := range goal.Prune.tombstones {
		if _, goes := removed.holder(t.id); goes || slices.Contains(goal.Owned, t.id) {
			continue
		}
		there, err := stillThere(ctx, api, t.id, known.of(t.id))
		if err != nil && status(err) != http.StatusForbidden {
			return fmt.Errorf("looking for %s, which has a tombstone: %w", t.id, err)
		}
		if there || err != nil {
			p.Left = append(p.Left, Left{t.id, "it has a tombstone, but was not created by us: remove it by hand, if it is there"})
		}
	}
	return nil
}

// undeclared returns what we created and the seed no longer names, sorted.
func (g Goal) undeclared() []ID {
	wanted := declaredIDs(g.Objects)
	for _, id := range g.Keep {
		wanted[id] = true
	}
	// What was spelt otherwise when it was made is the same to Vault.
	renamed := spellingsOf(g.Objects)
	gone := slices.DeleteFunc(slices.Clone(g.Owned), func(id ID) bool { return wanted[id] || renamed.hold(id) })
	slices.Sort(gone)
	return gone
}

// removals holds the mounts and namespaces that go with all that they hold, each with the
// beginning of the IDs of that.
type removals map[ID]string

// removalsOf returns those of gone that have a tombstone. They are known before anything
// else is judged: what they hold must not be deleted beside them.
func removalsOf(p Prune, gone []ID, known sites) removals {
	found := removals{}
	for _, id := range gone {
		at := known.of(id)
		if p.buries(id) && !p.excluded(at) {
			found[id] = at.content()
		}
	}
	return found
}

// holder returns what goes with id in it: the outermost, if there are several.
func (r removals) holder(id ID) (holder ID, found bool) {
	shortest := string(id)
	for each, beginning := range r {
		if strings.HasPrefix(string(id), beginning) && len(beginning) < len(shortest) {
			holder, shortest = each, beginning
		}
	}
	return holder, holder != ""
}

// stillThere looks for an object of which only its ID is known.
func stillThere(ctx context.Context, api reader, id ID, at site) (bool, error) {
	if listing, _ := at.listing(); listing != "" {
		entries, _, err := api.Read(ctx, listing)
		_, there := entries[strings.TrimPrefix(string(id), listing+"/")+"/"]
		return there, err
	}
	if alias, isAlias := aliasOf(id); isAlias {
		found, err := aliasID(ctx, api, alias)
		return found != "", err
	}
	shown, there, err := api.Read(ctx, id.catalogPath())
	if id.isPlugin() && shown["builtin"] == true { // Vault shows its own where there is no other
		return false, err
	}
	if code := status(err); code == http.StatusMethodNotAllowed || code == http.StatusBadRequest {
		return true, nil
	}
	return there, err
}
