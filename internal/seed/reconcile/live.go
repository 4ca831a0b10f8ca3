package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// observation is what is seen of one object.
type observation struct {
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
	objects []object.Object
	seen    []observation
	reads   *shared
}

// observe reads what is live: each listing once, then every object that has a path
// of its own, and nothing below a mount that is not there.
//
// What the goal says was seen is taken to be as it is declared, unless its mount is gone.
func observe(ctx context.Context, api Reader, goal Goal) (*live, error) {
	objects := goal.Objects
	l := &live{
		tables: map[string]map[string]map[string]any{}, objects: slices.Clone(objects), seen: make([]observation, len(objects)),
		reads: &shared{api: api, once: readOnce(objects)},
	}
	if needed := neededListings(objects); len(needed) > 0 {
		if err := l.listings(ctx, needed); err != nil {
			return nil, err
		}
		if err := missingMounts(objects, l.mounted); err != nil {
			return nil, err
		}
		if err := l.withoutClash(); err != nil {
			return nil, err
		}
	}
	unknown := unknowns{declared: make(map[object.ID]*object.Object, len(objects))}
	for i := range objects {
		unknown.declared[objects[i].Place()] = &objects[i]
	}
	var known Seen
	if goal.Seen != nil {
		known = goal.Seen()
	}
	var left []int
	for i, o := range objects {
		if listing, path := o.Table(); listing != "" && !value.Pending(o.Data) {
			data, there := l.tables[listing][path]
			l.seen[i] = observation{there: there, data: data}
			continue
		}
		if o.Mount != "" && !l.mounted(o.Mount) && !value.Pending(o.Data) {
			continue
		}
		if known[o.Place()] && !value.Pending(o.Data) {
			l.seen[i] = observation{there: true, matches: true}
			continue
		}
		left = append(left, i)
	}
	if len(left) >= leastListed {
		var err error
		if left, err = l.withoutAbsent(ctx, left, goal.Owned); err != nil {
			return nil, fmt.Errorf("reading what is there: %w", err)
		}
	}
	err := each(ctx, len(left), goal.Parallelism, func(ctx context.Context, i int) error { return l.one(ctx, left[i], &unknown) })
	if err != nil {
		return nil, err
	}
	return l, unknown.problems.Err("Vault does not hold what the seed refers to. Declare it in the seed, or correct the reference.")
}

// one settles the references of an object and looks at it.
func (l *live) one(ctx context.Context, i int, unknown *unknowns) error {
	o := &l.objects[i]
	if value.Pending(o.Data) {
		data, err := finder{reader: l.reads}.settle(ctx, o.Namespace, o.Data, unknown.missing(*o))
		if err != nil {
			return err
		}
		o.Data, _ = data.(map[string]any)
	}
	if listing, path := o.Table(); listing != "" {
		data, there := l.tables[listing][path]
		l.seen[i] = observation{there: there, data: data}
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
func shownAs(o object.Object, shown map[string]any) bool {
	for field, want := range o.Data {
		if value, there := shown[field]; !there || !o.Same(field, want, value) {
			return false
		}
	}
	return len(o.Surplus(shown)) == 0
}

// neededListings returns the listings that show objects or their mounts.
func neededListings(objects []object.Object) map[string]bool {
	needed := map[string]bool{}
	for _, o := range objects {
		if o.Traits.SaveTo != nil {
			needed[o.Namespace+"sys/mounts"] = true
		}
		for _, listing := range []string{"sys/audit", "sys/auth", "sys/mounts"} {
			if strings.HasPrefix(string(o.ID), o.Namespace+listing+"/") || strings.HasPrefix(string(o.Mount), o.Namespace+listing+"/") {
				needed[o.Namespace+listing] = true
			}
		}
	}
	return needed
}

// shared reads each path once, however many ask for it. What only one asks for is not
// kept: ten thousand answers are tens of megabytes.
type shared struct {
	api reader
	// once holds the paths that one object is read at.
	once map[string]bool
	mu   sync.Mutex
	got  map[string]func() (map[string]any, bool, error)
}

// Read returns what the first read of path has returned.
func (s *shared) Read(ctx context.Context, path string) (map[string]any, bool, error) {
	if s.once[path] {
		return s.api.Read(ctx, path)
	}
	s.mu.Lock()
	ask, known := s.got[path]
	if !known {
		type result struct {
			data  map[string]any
			found bool
			err   error
		}
		once := sync.OnceValue(func() result {
			data, found, err := s.api.Read(ctx, path)
			return result{data, found, err}
		})
		ask = func() (map[string]any, bool, error) { seen := once(); return seen.data, seen.found, seen.err }
		if s.got == nil {
			s.got = map[string]func() (map[string]any, bool, error){}
		}
		s.got[path] = ask
	}
	s.mu.Unlock()
	return ask()
}

// readOnce returns the paths at which exactly one of the objects is read, and which no
// reference leads to.
func readOnce(objects []object.Object) map[string]bool {
	once := make(map[string]bool, len(objects))
	for _, o := range objects {
		path := o.ReadPath()
		_, before := once[path]
		once[path] = !before && (o.Stage == object.StageRoles || o.Stage == object.StagePolicies)
	}
	return once
}

// look reads o by its own path, or what says whether a request is needed.
func look(ctx context.Context, api reader, o object.Object) (observation, error) {
	if o.IsRequest() {
		if o.Traits.Unless.Path == "" {
			return observation{}, nil
		}
		there, err := holds(ctx, api, o.Namespace, *o.Traits.Unless)
		return observation{there: there}, err
	}
	data, found, err := api.Read(ctx, o.ReadPath())
	if err != nil {
		return unread(o, err)
	}
	if found && o.Traits.Extract != nil {
		data, found = o.Traits.Extract(o, data)
	}
	return observation{there: found, data: ours(o, data)}, nil
}

// unread returns what an error in reading o says of it, or the error.
func unread(o object.Object, err error) (observation, error) {
	switch code := httpstatus.Of(err); {
	case code == http.StatusMethodNotAllowed:
		return observation{blind: true}, nil
	case code != 0 && code == o.Traits.AbsentStatus:
		return observation{}, nil
	}
	return observation{}, fmt.Errorf("reading %s (%s): %w", o.ID, o.Position, err)
}

// ours returns those of the shown fields that o names; the rest is not compared, and
// ten thousand of them need not be kept.
func ours(o object.Object, shown map[string]any) map[string]any {
	if o.Traits.Whole {
		return shown
	}
	kept := make(map[string]any, len(o.Data))
	for name := range o.Data {
		if value, there := shown[name]; there {
			kept[name] = value
		}
	}
	if key := o.Traits.Key; key != "" {
		kept[key] = shown[key]
	}
	return kept
}
