package seed

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Prune says what may be deleted.
type Prune struct {
	// Owned is whether objects that we created, and that the seed no longer names, are
	// deleted.
	Owned bool
	// exclude holds the kinds that are left alone all the same.
	exclude    []string
	tombstones []tombstone
}

// tombstone is a mount that is to be disabled with all that it holds.
type tombstone struct {
	id ID
	at Position
}

// Prune returns what the seed says about deletion.
func (s *Seed) Prune() Prune { return s.prune }

// read takes in what one file says.
func (p *Prune) read(r record, problems *Problems) {
	p.Owned = p.Owned || r.text("prune") == "owned"
	purge := r.inner("purgeUnmanagedConfig")
	p.Owned = p.Owned || purge.yes("enabled")
	for _, kind := range purgeKinds() {
		if purge.inner("exclude").yes(kind) {
			p.exclude = append(p.exclude, kind)
		}
	}
	for _, each := range r.records("tombstones") {
		secrets, auth := trim(each.text("secrets")), trim(each.text("auth"))
		path := secrets + auth
		switch {
		case (secrets == "") == (auth == ""):
			problems.add(each.at, "a tombstone names one of secrets and auth")
		case checkPath(path) != nil:
			problems.add(each.at, "the path %q cannot be used", path)
		case !each.yes("destroy"):
			problems.add(each.at, "a tombstone says destroy: true, since all that the mount holds is lost")
		case auth != "":
			p.tombstones = append(p.tombstones, tombstone{ID("sys/auth/" + auth), each.at})
		default:
			p.tombstones = append(p.tombstones, tombstone{ID("sys/mounts/" + secrets), each.at})
		}
	}
}

// check tells tombstones that contradict the rest of the seed.
func (p Prune) check(objects []Object, problems *Problems) {
	if len(p.tombstones) > 0 && !p.Owned {
		problems.add(p.tombstones[0].at, "tombstones need prune: owned")
	}
	for _, o := range objects {
		for _, t := range p.tombstones {
			if o.ID == t.id || o.Mount == t.id {
				problems.add(t.at, "%s has a tombstone and is declared, at %s", o.ID, o.Position)
			}
		}
	}
}

// digest returns what counts for the digest of the seed.
func (p Prune) digest() []string {
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

// excluded reports whether what is at a site is left alone.
func (p Prune) excluded(at site) bool { return slices.ContainsFunc(p.exclude, at.is) }

// Owned reports whether o goes into the ledger, so that it can be deleted later:
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
func (p *Plan) prune(ctx context.Context, api reader, goal Goal, seen *live) error {
	if !goal.Prune.Owned {
		return nil
	}
	known, gone := sitesOf(goal), goal.undeclared()
	going := goal.Prune.going(gone, known)
	for _, id := range gone {
		at := known.of(id)
		_, goes := going[id]
		listing, isMount := at.listing()
		switch {
		case going.take(id):
			p.Forget = append(p.Forget, id)
			continue
		case goal.Prune.excluded(at):
			continue
		case isMount && !goes:
			p.Left = append(p.Left, Left{id, "it may hold data: to disable it with all that it holds, give it a tombstone in the seed"})
			continue
		}
		there, err := stillThere(ctx, api, id, listing)
		if err != nil {
			return fmt.Errorf("looking for %s, which the seed no longer names: %w", id, err)
		}
		if !there {
			p.Forget = append(p.Forget, id)
			continue
		}
		p.Changes = append(p.Changes, Change{Object: Object{ID: id, order: at.deletionOrder()}, Action: Delete, Stage: StageDeletions})
	}
	for _, t := range goal.Prune.tombstones {
		if !slices.Contains(goal.Owned, t.id) {
			if listing, _ := known.of(t.id).listing(); seen.mounted(t.id) || seen.tables[listing] == nil {
				p.Left = append(p.Left, Left{t.id, "it has a tombstone, but was not created by us: disable it by hand, if it is there"})
			}
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
	gone := slices.DeleteFunc(slices.Clone(g.Owned), func(id ID) bool { return wanted[id] })
	slices.Sort(gone)
	return gone
}

// going holds the mounts that go with all that they hold, each with the beginning of the
// IDs of that.
type going map[ID]string

// going returns those of gone that have a tombstone. They are known before anything else
// is judged: what they hold must not be deleted beside them.
func (p Prune) going(gone []ID, known sites) going {
	found := going{}
	for _, id := range gone {
		at := known.of(id)
		if p.buried(id) && !p.excluded(at) {
			found[id] = at.content()
		}
	}
	return found
}

// buried reports whether id has a tombstone.
func (p Prune) buried(id ID) bool {
	return slices.ContainsFunc(p.tombstones, func(t tombstone) bool { return t.id == id })
}

// take reports whether id lies in what goes.
func (g going) take(id ID) bool {
	for _, beginning := range g {
		if strings.HasPrefix(string(id), beginning) {
			return true
		}
	}
	return false
}

// content returns the beginning of the IDs of what lies in a mount.
func (s site) content() string {
	if path, isAuth := strings.CutPrefix(s.path, "sys/auth/"); isAuth {
		return s.ns + "auth/" + path + "/"
	}
	return s.ns + strings.TrimPrefix(s.path, "sys/mounts/") + "/"
}

// deletionOrder returns when what is there is deleted. Mounts come last: aliases, which
// outlive their auth method, are found by it.
func (s site) deletionOrder() int {
	if _, isMount := s.listing(); isMount {
		return 1
	}
	return 0
}

// stillThere looks for an object of which only its ID is known.
func stillThere(ctx context.Context, api reader, id ID, listing string) (bool, error) {
	if listing != "" {
		entries, _, err := api.Read(ctx, listing)
		_, there := entries[strings.TrimPrefix(string(id), listing+"/")+"/"]
		return there, err
	}
	if alias, isAlias := aliasOf(id); isAlias {
		found, err := alias.id(ctx, api)
		return found != "", err
	}
	_, there, err := api.Read(ctx, string(id))
	if code := status(err); code == 405 || code == 400 {
		return true, nil
	}
	return there, err
}
