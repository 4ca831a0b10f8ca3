package prop_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// violation is a property that does not hold. What is made smaller must still have the same one.
type violation struct{ property, detail string }

func (v *violation) Error() string { return v.property + "\n" + v.detail }

// trial is one pass over a scenario.
type trial struct {
	*scenario
	sc    *scene
	world *world
	// spelt is the spelling that was written last.
	spelt *spelling
	round uint64
}

// login reports whether the flags say how later runs log in, since the seed does not.
func (t *trial) login() bool { return len(t.settings.login) == 0 }

// all holds every property of a seed, in the order in which they can be seen.
func (t *trial) all(ctx context.Context) error {
	items := t.base
	steps := []struct {
		name string
		hold func(ctx context.Context) error
	}{
		{"the seed", func(ctx context.Context) error { return t.applied(ctx, items, t.settings) }},
		{"the seed in another spelling", func(ctx context.Context) error { return t.respelt(ctx, items) }},
		{"the changed seed", func(ctx context.Context) error {
			items = t.edited(items)
			return t.applied(ctx, items, t.settings)
		}},
		{"Vault changed by hand", func(ctx context.Context) error { return t.mended(ctx, items) }},
		{"the pruned seed", func(ctx context.Context) error {
			pruning := t.settings
			pruning.owned, pruning.tombstones = true, t.burying(items)
			return t.prunedAndBack(ctx, items, pruning)
		}},
	}
	for _, step := range steps {
		if err := step.hold(ctx); err != nil {
			if v, is := err.(*violation); is { //nolint:errorlint // it is made below, and never wrapped
				v.property = step.name + ": " + v.property
			}
			return err
		}
	}
	return nil
}

// write writes and validates a seed, in a spelling that it did not have.
func (t *trial) write(ctx context.Context, items []*item, s settings) error {
	t.round++
	t.spelt = newSpelling(t.seed*1_000_003+uint64(t.number), t.round)
	if err := t.sc.write(items, s, t.spelt); err != nil {
		return err
	}
	result, err := t.sc.program(ctx, "seed", "validate", t.sc.dir+"/seed")
	if err == nil && result.Code != 0 {
		err = &violation{fmt.Sprintf("seed validate exits with %d", result.Code), result.String()}
	}
	return err
}

// applied holds that a plan of a seed names what it changes and nothing else, that it can be
// applied, that nothing is left to do then, and that a further run writes nothing.
func (t *trial) applied(ctx context.Context, items []*item, s settings) error {
	if err := t.write(ctx, items, s); err != nil {
		return err
	}
	if err := t.look(ctx, items); err != nil {
		return err
	}
	want := t.world.expect(items, s)
	p, err := t.sc.plan(ctx, t.login(), t.sc.token())
	if err != nil {
		return err
	}
	if err := want.judge(p); err != nil {
		return err
	}
	if _, err := t.sc.run(ctx, t.login(), t.sc.token()); err != nil {
		return err
	}
	t.world.apply(items, want)
	return t.settled(ctx, items, s)
}

// look asks Vault for what is to be made below mounts that are there: some of it comes with them.
func (t *trial) look(ctx context.Context, items []*item) error {
	t.world.comes = map[string]bool{}
	for _, it := range items {
		if it.mount == "" || it.name != "" || !it.stays || t.world.live[it.full()] != nil || t.world.live[it.holder()] == nil {
			continue
		}
		there, err := t.sc.there(ctx, it.full())
		if err != nil {
			return err
		}
		t.world.comes[it.full()] = there
	}
	return nil
}

// settled holds that nothing is left to do, by a plan and by a run of our own login.
func (t *trial) settled(ctx context.Context, items []*item, s settings) error {
	want := t.world.expect(items, s)
	if len(want.changes) > 0 {
		return fmt.Errorf("the oracle contradicts itself: %v are to be changed after a run", want.changes)
	}
	p, err := t.sc.plan(ctx, t.login())
	if err != nil {
		return err
	}
	if err := want.judge(p); err != nil {
		return after(err, "after the run")
	}
	writes, err := t.sc.run(ctx, t.login())
	if err == nil && len(writes) > 0 {
		err = &violation{"a run with nothing to do writes", strings.Join(writes, "\n")}
	}
	return err
}

func after(err error, when string) error {
	if v, is := err.(*violation); is { //nolint:errorlint // as above
		v.property = when + " " + v.property
	}
	return err
}

// judge compares a plan with what it must say. The program's own objects have no position.
func (v verdict) judge(p planned) error {
	var wrong []string
	found := map[string]string{}
	for _, c := range p.Changes {
		if c.Action == "none" || c.Position == "" && c.Action != "delete" {
			continue
		}
		found[c.ID] = c.Action
		if v.changes[c.ID] != c.Action {
			wrong = append(wrong, fmt.Sprintf("%s of %s is planned, expected is %q (%v)", c.Action, c.ID, v.changes[c.ID], c.Fields))
		}
	}
	for _, id := range sorted(v.changes) {
		if _, there := found[id]; !there && !v.maybe[id] {
			wrong = append(wrong, fmt.Sprintf("%s of %s is not planned", v.changes[id], id))
		}
	}
	for _, r := range p.Refusals {
		wrong = append(wrong, "refused: "+r.ID+": "+r.Reason)
	}
	var left []string
	for _, each := range p.Left {
		left = append(left, each.ID)
	}
	slices.Sort(left)
	if len(wrong) > 0 {
		return &violation{"the plan is wrong", strings.Join(wrong, "\n")}
	}
	if !slices.Equal(left, v.left) {
		return &violation{"the plan leaves the wrong objects", fmt.Sprintf("it leaves %q, expected are %q", left, v.left)}
	}
	return nil
}

// respelt holds that a seed that says the same in another way changes nothing.
func (t *trial) respelt(ctx context.Context, items []*item) error {
	if err := t.write(ctx, items, t.settings); err != nil {
		return err
	}
	return t.settled(ctx, items, t.settings)
}

// mended holds that a plan names what was changed by hand, and that a run puts it right.
func (t *trial) mended(ctx context.Context, items []*item) error {
	want := verdict{changes: map[string]string{}}
	for _, e := range t.meddling {
		at := slices.IndexFunc(items, func(it *item) bool { return it.full() == e.id })
		if at < 0 || e.do == "change" && (items[at].field(e.field) == nil || same(*items[at].field(e.field), e.value)) {
			continue
		}
		if err := t.sc.meddle(ctx, items, e); err != nil {
			return fmt.Errorf("the %s of %s by hand: %w", e.do, e.id, err)
		}
		if e.do == "change" {
			want.changes[e.id] = "update"
			continue
		}
		t.world.lost(items, e.id)
		for id := range closure(items, map[string]bool{e.id: true}) {
			if !t.lasting(items, id) {
				want.changes[id] = "create"
			}
		}
	}
	for _, e := range t.meddling {
		// Version 2 of KV shows of a value that was deleted what it can be restored from.
		if at := slices.IndexFunc(items, func(it *item) bool { return it.full() == e.id }); at >= 0 && e.do == "delete" && items[at].value && items[at].second {
			want.changes[e.id] = "update"
		}
	}
	want.left = t.world.expect(items, t.settings).left
	p, err := t.sc.plan(ctx, t.login())
	if err != nil {
		return err
	}
	if err := want.judge(p); err != nil {
		return err
	}
	if _, err := t.sc.run(ctx, t.login()); err != nil {
		return err
	}
	return t.settled(ctx, items, t.settings)
}

// lasting reports whether an object is not made again: a request without a condition is sent once.
func (t *trial) lasting(items []*item, id string) bool {
	return slices.ContainsFunc(items, func(it *item) bool { return it.full() == id && it.request })
}

// burying are the tombstones of what is taken out of the seed, and not declared.
func (t *trial) burying(items []*item) []tombstone {
	gone := closure(items, t.going())
	return slices.DeleteFunc(slices.Clone(t.graves), func(g tombstone) bool {
		return !gone[g.id()] || slices.ContainsFunc(t.exclude, func(kind string) bool {
			return kind == "secrets" && strings.Contains(g.mount, "sys/mounts/") || kind == "auth" && strings.Contains(g.mount, "sys/auth/")
		})
	})
}

func (t *trial) going() map[string]bool {
	ids := map[string]bool{}
	for _, id := range t.pruned {
		ids[id] = true
	}
	return ids
}

// prunedAndBack takes objects out of the seed, and declares them again.
func (t *trial) prunedAndBack(ctx context.Context, items []*item, s settings) error {
	if err := t.applied(ctx, without(items, closure(items, t.going())), s); err != nil {
		return err
	}
	s.tombstones = nil
	return after(t.applied(ctx, items, s), "declared again,")
}
