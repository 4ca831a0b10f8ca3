package seed

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// leastListed is from how many declared objects of one kind on its listing is read before
// them: it says at once which are not there.
const leastListed = 8

// withoutAbsent returns those of the objects in left that may be there, as far as listings
// show. A listing that cannot be read shows nothing. What is owned is taken to be there: we
// have made it.
func (l *live) withoutAbsent(ctx context.Context, left []int, owned []object.ID) ([]int, error) {
	made := make(map[object.ID]bool, len(owned))
	for _, id := range owned {
		made[id] = true
	}
	count := map[string]int{}
	for _, i := range left {
		if o := &l.objects[i]; !made[o.ID] {
			count[o.Listed()]++
		}
	}
	delete(count, "")
	maps.DeleteFunc(count, func(_ string, declared int) bool { return declared < leastListed })
	var mu sync.Mutex
	names := map[string]map[string]bool{}
	group, ctx := errgroup.WithContext(ctx)
	for listing := range count {
		group.Go(func() error {
			data, found, err := l.reads.Read(ctx, listing+"?list=true")
			switch {
			case err != nil && status(err) == 0:
				return err
			case err != nil || !found: // as of what has no listing
				return nil
			}
			keys, _ := data["keys"].([]any)
			there := make(map[string]bool, len(keys))
			for _, key := range keys {
				name, _ := key.(string)
				there[strings.ToLower(name)] = true // as Vault shows most
			}
			mu.Lock()
			defer mu.Unlock()
			names[listing] = there
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(left, func(i int) bool {
		o := &l.objects[i]
		there, read := names[o.Listed()]
		return read && !value.Pending(o.Data) && !there[strings.ToLower(path.Base(o.ReadPath()))]
	}), nil
}
