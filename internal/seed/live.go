package seed

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// sight is what is seen of one object.
type sight struct {
	there bool
	// blind means that the API at this path cannot be read at all.
	blind bool
	// matches means that Vault shows every field as the object has it: then data is
	// not kept, since ten thousand answers are tens of megabytes.
	matches bool
	data    map[string]any
}

// live is what is there, as far as the desired objects ask for it.
type live struct {
	// tables holds the listings of mounts and audit devices by their API path:
	// listing → path without slashes at its ends → entry.
	tables map[string]map[string]map[string]any
	// objects are the desired ones, with the references answered that can be by now.
	objects []Object
	seen    []sight
	reads   *shared
}

// observe reads what is live: each listing once, then every object that has a path
// of its own, and nothing below a mount that is not there.
//
// What the goal says was seen is taken to be as it is declared, unless its mount is gone.
func observe(ctx context.Context, api Reader, goal Goal) (*live, error) {
	objects := goal.Objects
	l := &live{
		tables: map[string]map[string]map[string]any{}, objects: slices.Clone(objects), seen: make([]sight, len(objects)),
		reads: &shared{api: api, once: readOnce(objects)},
	}
	if err := l.listings(ctx, objects); err != nil {
		return nil, err
	}
	if err := missingMounts(objects, l.mounted); err != nil {
		return nil, err
	}
	if err := l.withoutClash(); err != nil {
		return nil, err
	}
	unknown := unknowns{declared: make(map[ID]*Object, len(objects))}
	for i := range objects {
		unknown.declared[objects[i].place()] = &objects[i]
	}
	var left []int
	for i, o := range objects {
		if listing, path := o.table(); listing != "" && !value.Pending(o.Data) {
			data, there := l.tables[listing][path]
			l.seen[i] = sight{there: there, data: data}
			continue
		}
		if o.Mount != "" && !l.mounted(o.Mount) && !value.Pending(o.Data) {
			continue
		}
		if goal.Seen[o.place()] && !value.Pending(o.Data) {
			l.seen[i] = sight{there: true, matches: true}
			continue
		}
		left = append(left, i)
	}
	left, err := l.withoutAbsent(ctx, left, goal.Owned)
	if err != nil {
		return nil, fmt.Errorf("reading what is there: %w", err)
	}
	err = each(ctx, len(left), goal.Parallelism, func(ctx context.Context, i int) error { return l.one(ctx, left[i], &unknown) })
	if err != nil {
		return nil, err
	}
	return l, unknown.problems.Err("Vault does not hold what the seed refers to. Declare it in the seed, or correct the reference.")
}

// one settles the references of an object and looks at it.
func (l *live) one(ctx context.Context, i int, unknown *unknowns) error {
	o := &l.objects[i]
	find := finder{reader: l.reads}
	data, err := find.settle(ctx, o.ns, o.Data, unknown.missing(*o))
	if err != nil {
		return err
	}
	o.Data, _ = data.(map[string]any)
	if listing, path := o.table(); listing != "" {
		data, there := l.tables[listing][path]
		l.seen[i] = sight{there: there, data: data}
		return nil
	}
	if o.Mount != "" && !l.mounted(o.Mount) {
		return nil
	}
	seen, err := look(ctx, l.reads, *o)
	if seen.there && shownAs(*o, seen.data) {
		seen.matches, seen.data = true, nil
	}
	l.seen[i] = seen
	return err
}

// shownAs reports whether every field of o is shown as o has it.
func shownAs(o Object, shown map[string]any) bool {
	for field, want := range o.Data {
		if value, there := shown[field]; !there || !o.same(field, want, value) {
			return false
		}
	}
	return len(o.surplus(shown)) == 0
}

// unknowns collects references to what is neither there nor declared.
type unknowns struct {
	declared map[ID]*Object
	mu       sync.Mutex
	problems value.Problems
}

// missing returns the judge of a reference of o that has no answer yet: what the seed
// has made before o will be there when it is needed.
func (u *unknowns) missing(o Object) func(p value.Part, at value.Position) error {
	return func(p value.Part, at value.Position) error {
		if p.Call == value.CallAnswer {
			return nil
		}
		what := p.Call + " " + strings.Join(quoteAll(p.Args), " ")
		problem := what + " is neither declared nor there"
		for _, id := range targets(p, o.ns) {
			target := u.declared[id]
			switch {
			case target == nil:
			case target.before(&o):
				return nil
			default:
				problem = fmt.Sprintf("%s is not there, and %s (stage %s) is not made before %s (stage %s), which refers to it", what, id, target.Stage, o.ID, o.Stage)
			}
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.problems.Add(at, "%s", problem)
		return nil
	}
}

// before reports whether o is made before other.
func (o *Object) before(other *Object) bool {
	return o.Stage < other.Stage || o.Stage == other.Stage && o.order < other.order
}

func quoteAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = fmt.Sprintf("%q", text)
	}
	return out
}

func declaredIDs(objects []Object) map[ID]bool {
	ids := make(map[ID]bool, len(objects))
	for _, o := range objects {
		ids[o.ID] = true
	}
	return ids
}

// listings reads the listings that objects need, at the same time.
func (l *live) listings(ctx context.Context, objects []Object) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for _, listing := range slices.Sorted(maps.Keys(neededListings(objects))) {
		group.Go(func() error {
			data, _, err := l.reads.Read(ctx, listing)
			if err != nil {
				return fmt.Errorf("reading %s: %w", listing, err)
			}
			table := map[string]map[string]any{}
			for path, entry := range data {
				if fields, ok := entry.(map[string]any); ok {
					table[value.TrimPath(path)] = fields
				}
			}
			mu.Lock()
			defer mu.Unlock()
			l.tables[listing] = table
			return nil
		})
	}
	return group.Wait()
}

// neededListings returns the listings that tell about objects or their mounts.
func neededListings(objects []Object) map[string]bool {
	needed := map[string]bool{}
	for _, o := range objects {
		if o.how.saveTo != nil {
			needed[o.ns+"sys/mounts"] = true
		}
		for _, listing := range []string{"sys/audit", "sys/auth", "sys/mounts"} {
			if strings.HasPrefix(string(o.ID), o.ns+listing+"/") || strings.HasPrefix(string(o.Mount), o.ns+listing+"/") {
				needed[o.ns+listing] = true
			}
		}
	}
	return needed
}

// mounted reports whether the mount id is there.
func (l *live) mounted(id ID) bool {
	for listing, table := range l.tables {
		if path, ok := strings.CutPrefix(string(id), listing+"/"); ok {
			_, there := table[path]
			return there
		}
	}
	return false
}

// look reads o by its own path, or what says whether a request is needed.
func look(ctx context.Context, api reader, o Object) (sight, error) {
	if o.isRequest() {
		if o.how.unless.path == "" {
			return sight{}, nil
		}
		there, err := holds(ctx, api, o.ns, *o.how.unless)
		return sight{there: there}, err
	}
	data, found, err := api.Read(ctx, o.readPath())
	switch code := status(err); {
	case code == http.StatusMethodNotAllowed:
		return sight{blind: true}, nil
	case code != 0 && code == o.how.absent:
		return sight{}, nil
	case err != nil:
		return sight{}, fmt.Errorf("reading %s (%s): %w", o.ID, o.Position, err)
	}
	if found && o.how.see != nil {
		data, found = o.how.see(o, data)
	}
	return sight{there: found, data: ours(o, data)}, nil
}

// ours returns those of the shown fields that o names; the rest is not compared, and
// ten thousand of them need not be kept.
func ours(o Object, shown map[string]any) map[string]any {
	if o.how.whole {
		return shown
	}
	kept := make(map[string]any, len(o.Data))
	for name := range o.Data {
		if value, there := shown[name]; there {
			kept[name] = value
		}
	}
	if key := o.how.key; key != "" {
		kept[key] = shown[key]
	}
	return kept
}
