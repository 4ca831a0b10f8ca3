package reconcile

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// minListed is the number of declared objects of one kind from which their listing is read first:
// it shows at once which of them do not exist.
const minListed = 8

// listings reads the listings that are needed, at the same time.
func (l *live) listings(ctx context.Context, needed map[string]bool) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for _, listing := range slices.Sorted(maps.Keys(needed)) {
		group.Go(func() error {
			data, _, err := l.reads.Read(ctx, listing)
			if namespaceSealed(err) {
				l.seal(strings.TrimSuffix(listing, "sys/"+path.Base(listing)))
				return nil
			}
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

// mounted reports whether the mount id is there.
func (l *live) mounted(id object.ID) bool {
	for listing, table := range l.tables {
		if path, ok := strings.CutPrefix(string(id), listing+"/"); ok {
			_, there := table[path]
			return there
		}
	}
	return false
}

// withoutAbsent returns those of the objects in left that may exist, as far as listings show. A
// listing that cannot be read shows nothing. What is owned is assumed to exist, since we have
// created it.
func (l *live) withoutAbsent(ctx context.Context, left []int, owned []object.ID) ([]int, error) {
	count := l.countListed(left, owned)
	var mu sync.Mutex
	names := map[string]map[string]bool{}
	group, ctx := errgroup.WithContext(ctx)
	for listing := range count {
		group.Go(func() error {
			data, found, err := l.reads.Read(ctx, listing+"?list=true")
			switch {
			case err != nil && httpstatus.Of(err) == 0:
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

// countListed returns the listings that are worth reading before the objects in left, with how many
// of these they show.
func (l *live) countListed(left []int, owned []object.ID) map[string]int {
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
	maps.DeleteFunc(count, func(_ string, declared int) bool { return declared < minListed })
	return count
}

// listAhead begins to read the listings of what lies in no mount, while those of the mounts are
// read. Whoever needs one reads it again, and gets what this read has returned.
func (l *live) listAhead(ctx context.Context, owned []object.ID) {
	var free []int
	for i, o := range l.objects {
		if listing, _ := o.Table(); listing == "" && o.Mount == "" && !o.IsRequest() {
			free = append(free, i)
		}
	}
	for listing := range l.countListed(free, owned) {
		go func() { _, _, _ = l.reads.Read(ctx, listing+"?list=true") }()
	}
}

// withoutClash returns an error for the mounts and audit devices that cannot coexist with an
// existing one that the seed does not declare.
func (l *live) withoutClash() error {
	problems := &value.Problems{}
	for _, o := range l.objects {
		listing, path := o.Table()
		table := l.tables[listing]
		if _, there := table[path]; listing == "" || there {
			continue
		}
		for _, other := range slices.Sorted(maps.Keys(table)) {
			switch {
			case strings.HasPrefix(path+"/", other+"/"):
				problems.Add(o.Position, "%s lies below %s/%s, which is there: Vault has no mount within a mount", o.ID, listing, other)
			case strings.HasPrefix(other+"/", path+"/"):
				problems.Add(o.Position, "%s lies above %s/%s, which is there: Vault has no mount within a mount", o.ID, listing, other)
			}
		}
	}
	return problems.Err("Choose another path in the seed, or disable what is in its place by hand, with everything in it.")
}

// missingMounts returns an error for the objects whose mount is neither declared nor there.
func missingMounts(objects []object.Object, there func(object.ID) bool) error {
	declared := map[object.ID]bool{}
	for _, o := range objects {
		declared[o.ID] = true
	}
	problems := &value.Problems{}
	for _, o := range objects {
		if o.Mount != "" && !declared[o.Mount] && !o.MountComes() && !there(o.Mount) {
			problems.Add(o.Position, "%s needs %s, which is neither declared nor there", o.ID, o.Mount)
		}
		// Vault shows a generated value only once, so its destination is checked in advance.
		if to := o.Traits.SaveTo; to != nil && !slices.ContainsFunc(to.Mounts(o.Namespace), func(id object.ID) bool { return declared[id] || there(id) }) {
			problems.Add(o.Position, "save_to of %s is %s, which lies in no secrets engine that is declared or there", o.ID, to.Path)
		}
	}
	return problems.Err("Declare the mount in the seed.")
}

// unknowns collects references to what is neither declared nor there.
type unknowns struct {
	declared map[object.ID]*object.Object
	mu       sync.Mutex
	problems value.Problems
}

// missing returns a function that judges a reference of o that cannot be resolved yet: what the
// seed creates before o will exist when it is needed.
func (u *unknowns) missing(o object.Object) func(p value.Part, at value.Position) error {
	return func(p value.Part, at value.Position) error {
		if p.Call == value.CallAnswer {
			return nil
		}
		what := p.Call + " " + strings.Join(quoteAll(p.Args), " ")
		problem := what + " is neither declared nor there"
		for _, id := range object.Targets(p, o.Namespace) {
			target := u.declared[id]
			switch {
			case target == nil:
			case target.Before(&o):
				return nil
			default:
				problem = fmt.Sprintf("%s is not there, and %s (stage %s) is not created before %s (stage %s), which refers to it", what, id, target.Stage, o.ID, o.Stage)
			}
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.problems.Add(at, "%s", problem)
		return nil
	}
}

func quoteAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = fmt.Sprintf("%q", text)
	}
	return out
}
