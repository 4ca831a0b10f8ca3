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

// observation is what Vault shows of one object.
type observation struct {
	there bool
	// blind means that the API at this path cannot be read at all.
	blind bool
	// serverWide means that the server has it in its root namespace only, and o is in another.
	serverWide bool
	// unread means that the token may not read it yet.
	unread bool
	// matches means that Vault shows every field as the object has it. Then data is dropped, since
	// ten thousand answers are tens of megabytes.
	matches bool
	data    map[string]any
}

// live is what Vault holds, as far as the desired objects concern it.
type live struct {
	// tables holds the listings of mounts and audit devices by their API path:
	// listing → path without slashes at its ends → entry.
	tables map[string]map[string]map[string]any
	// objects are the desired objects, with the references that can be resolved by now.
	objects []object.Object
	seen    []observation
	reads   *shared

	mu sync.Mutex // over sealed
	// sealed holds the namespaces that turned out to be sealed, with a count for others to use.
	sealed sealedSpaces
}

// seal notes that a namespace, or one around it, is sealed.
func (l *live) seal(ns string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealed[ns] += 0
}

// isSealed reports whether a namespace is known to be sealed.
func (l *live) isSealed(ns string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sealed.holds(ns)
}

// observe reads what is live: each listing once, then every object that has its own path, and
// nothing below a mount that does not exist.
//
// An object that the goal lists as seen counts as matching, unless its mount is gone.
func observe(ctx context.Context, api Reader, goal Goal) (*live, error) {
	objects := goal.Objects
	l := &live{
		tables: map[string]map[string]map[string]any{}, objects: slices.Clone(objects), seen: make([]observation, len(objects)),
		reads: &shared{api: api, once: readOnce(objects)}, sealed: sealedSpaces{},
	}
	if goal.Seen == nil && len(objects) >= minListed {
		l.listAhead(ctx, goal.Owned)
	}
	readable := slices.DeleteFunc(slices.Clone(objects), goal.unread)
	if needed := neededListings(readable); len(needed) > 0 {
		if err := l.listings(ctx, needed); err != nil {
			return nil, err
		}
		open := slices.DeleteFunc(slices.Clone(readable), func(o object.Object) bool { return l.isSealed(o.Namespace) })
		if err := missingMounts(open, l.mounted); err != nil {
			return nil, err
		}
		if err := l.withoutClash(); err != nil {
			return nil, err
		}
	}
	if err := missingNamespaces(ctx, l.reads, readable, objects); err != nil {
		return nil, err
	}
	unknown := unknowns{declared: make(map[object.ID]*object.Object, len(objects))}
	for i := range objects {
		unknown.declared[objects[i].CanonicalID()] = &objects[i]
	}
	var known Seen
	if goal.Seen != nil {
		known = goal.Seen()
	}
	var left []int
	for i, o := range objects {
		if l.isSealed(o.Namespace) {
			continue
		}
		if goal.unread(o) {
			l.seen[i] = observation{unread: o.Mount == "" || l.mounted(o.Mount)}
			continue
		}
		if listing, path := o.Table(); listing != "" && !value.Pending(o.Data) {
			data, there := l.tables[listing][path]
			l.seen[i] = observation{there: there, data: data}
			continue
		}
		if o.Mount != "" && !l.mounted(o.Mount) && !value.Pending(o.Data) {
			continue
		}
		if known[o.CanonicalID()] && !value.Pending(o.Data) {
			l.seen[i] = observation{there: true, matches: true}
			continue
		}
		left = append(left, i)
	}
	if len(left) >= minListed {
		var err error
		if left, err = l.withoutAbsent(ctx, left, goal.Owned); err != nil {
			return nil, fmt.Errorf("reading what is there: %w", err)
		}
	}
	err := each(ctx, len(left), goal.Parallelism, func(ctx context.Context, i int) error {
		err := l.observeOne(ctx, left[i], &unknown)
		switch {
		case namespaceSealed(err):
			l.seal(objects[left[i]].Namespace)
			return nil
		case serverWide(err):
			l.seen[left[i]] = observation{serverWide: true}
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, unknown.problems.Err("Vault does not hold what the seed refers to. Declare it in the seed, or correct the reference.")
}

// observeOne resolves the references of an object and reads it.
func (l *live) observeOne(ctx context.Context, i int, unknown *unknowns) error {
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
	seen, err := readObject(ctx, l.reads, *o)
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

// shared reads each path once for all callers. Answers that only one caller needs are not kept: ten
// thousand answers are tens of megabytes.
type shared struct {
	api reader
	// once holds the paths at which exactly one object is read.
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

// readOnce returns the paths at which exactly one of the objects is read, and which no reference
// needs.
func readOnce(objects []object.Object) map[string]bool {
	once := make(map[string]bool, len(objects))
	for _, o := range objects {
		path := o.ReadPath()
		_, before := once[path]
		once[path] = !before && (o.Stage == object.StageRoles || o.Stage == object.StagePolicies)
	}
	return once
}

// readObject reads o at its own path or, for a request, its condition.
func readObject(ctx context.Context, api reader, o object.Object) (observation, error) {
	if o.IsRequest() {
		if o.Traits.Unless.Path == "" {
			return observation{}, nil
		}
		there, err := conditionHolds(ctx, api, o.Namespace, *o.Traits.Unless)
		return observation{there: there}, err
	}
	data, found, err := api.Read(ctx, o.ReadPath())
	if err != nil {
		return unread(o, err)
	}
	if found && o.Traits.Extract != nil {
		data, found = o.Traits.Extract(o, data)
	}
	return observation{there: found, data: namedFields(o, data)}, nil
}

// unread interprets an error in reading o, or returns it.
func unread(o object.Object, err error) (observation, error) {
	switch code := httpstatus.Of(err); {
	case code == http.StatusMethodNotAllowed:
		return observation{blind: true}, nil
	case code != 0 && code == o.Traits.AbsentStatus:
		return observation{}, nil
	}
	return observation{}, fmt.Errorf("reading %s (%s): %w", o.ID, o.Position, err)
}

// namedFields returns those of the shown fields that o has; the rest is not compared, and need not
// be kept for ten thousand objects.
func namedFields(o object.Object, shown map[string]any) map[string]any {
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
