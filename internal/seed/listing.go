package seed

import (
	"context"
	"path"
	"slices"
	"strings"
)

// leastListed is from how many declared objects of one kind on its listing is read before
// them: it says at once which are not there.
const leastListed = 8

// listed returns the path of the listing in which the name of o stands if o is there; ""
// if o is of a kind without one that our policy lets us read.
func (o Object) listed() string {
	parent, name := path.Split(o.readPath())
	parent = strings.TrimSuffix(parent, "/")
	if name == "" || strings.Contains(name, "?") || o.isRequest() {
		return ""
	}
	switch at := strings.TrimPrefix(parent, o.ns); {
	case at == "sys/policies/acl", at == "sys/policies/password":
		return parent
	case strings.HasPrefix(at, "auth/") && path.Base(at) == "role":
		return parent
	default:
		return ""
	}
}

// withoutAbsent returns those of the objects in left that may be there, as far as listings
// show. A listing that cannot be read shows nothing.
func (l *live) withoutAbsent(ctx context.Context, left []int) ([]int, error) {
	count := map[string]int{}
	for _, i := range left {
		count[l.objects[i].listed()]++
	}
	delete(count, "")
	names := map[string]map[string]bool{}
	for listing, declared := range count {
		if declared < leastListed {
			continue
		}
		data, found, err := l.reads.Read(ctx, listing+"?list=true")
		switch {
		case err != nil && status(err) == 0:
			return nil, err
		case err != nil || !found: // as of what has no listing
			continue
		}
		keys, _ := data["keys"].([]any)
		names[listing] = make(map[string]bool, len(keys))
		for _, key := range keys {
			name, _ := key.(string)
			names[listing][strings.ToLower(name)] = true // as Vault shows most
		}
	}
	return slices.DeleteFunc(left, func(i int) bool {
		o := &l.objects[i]
		there, read := names[o.listed()]
		return read && !pending(o.Data) && !there[strings.ToLower(path.Base(o.readPath()))]
	}), nil
}
