package seed

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// sight is what is seen of one object.
type sight struct {
	there bool
	// blind means that the API at this path cannot be read at all.
	blind bool
	data  map[string]any
}

// live is what is there, as far as the desired objects ask for it.
type live struct {
	// tables holds the listings of mounts and audit devices by their API path:
	// listing → path without slashes at its ends → entry.
	tables map[string]map[string]map[string]any
	seen   map[ID]sight
}

// observe reads what is live: each listing once, then every object that has a path
// of its own, and nothing below a mount that is not there.
func observe(ctx context.Context, api API, objects []Object, parallelism int) (*live, error) {
	l := &live{tables: map[string]map[string]map[string]any{}, seen: make(map[ID]sight, len(objects))}
	if err := l.listings(ctx, api, objects); err != nil {
		return nil, err
	}
	if err := missingMounts(objects, l.mounted); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(parallelism, 1))
	for _, o := range objects {
		if listing, path := o.table(); listing != "" {
			data, there := l.tables[listing][path]
			l.put(&mu, o.ID, sight{there: there, data: data})
			continue
		}
		if o.Mount != "" && !l.mounted(o.Mount) {
			l.put(&mu, o.ID, sight{})
			continue
		}
		group.Go(func() error {
			s, err := look(ctx, api, o)
			l.put(&mu, o.ID, s)
			return err
		})
	}
	return l, group.Wait()
}

func (l *live) put(mu *sync.Mutex, id ID, s sight) {
	mu.Lock()
	defer mu.Unlock()
	l.seen[id] = s
}

// listings reads the listings that objects need, at the same time.
func (l *live) listings(ctx context.Context, api API, objects []Object) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for _, listing := range []string{"sys/audit", "sys/auth", "sys/mounts"} {
		if !needsListing(objects, listing) {
			continue
		}
		group.Go(func() error {
			data, _, err := api.Read(ctx, listing)
			if err != nil {
				return fmt.Errorf("reading %s: %w", listing, err)
			}
			table := map[string]map[string]any{}
			for path, entry := range data {
				if fields, ok := entry.(map[string]any); ok {
					table[trim(path)] = fields
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

func needsListing(objects []Object, listing string) bool {
	for _, o := range objects {
		if strings.HasPrefix(string(o.ID), listing+"/") || strings.HasPrefix(string(o.Mount), listing+"/") {
			return true
		}
	}
	return false
}

// mounted reports whether the mount id is there.
func (l *live) mounted(id ID) bool {
	listing, path := Object{ID: id, Stage: StageMounts}.table()
	_, there := l.tables[listing][path]
	return there
}

// look reads o by its own path.
func look(ctx context.Context, api API, o Object) (sight, error) {
	data, found, err := api.Read(ctx, string(o.ID))
	if status(err) == http.StatusMethodNotAllowed {
		return sight{blind: true}, nil
	}
	if err != nil {
		return sight{}, fmt.Errorf("reading %s (%s): %w", o.ID, o.Position, err)
	}
	return sight{there: found, data: data}, nil
}
