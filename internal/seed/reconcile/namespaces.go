package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// OpenBao 2.6 deletes a namespace in the background: until it is gone it is shown as tainted, and
// neither can be created again nor can the one around it be deleted.

// The waits for a namespace that is being deleted. Its leases are revoked first, which takes a
// while if there are many.
const (
	firstGoneWait = 50 * time.Millisecond
	maxGoneWait   = time.Second
	goneLimit     = 2 * time.Minute
)

// errBeingDeleted means that a namespace was still being deleted at the end of the wait.
var errBeingDeleted = errors.New("it is still being deleted")

// awaitNamespace waits while the namespace at a path of the API is being deleted, and returns what
// is shown of it then; there is false if it does not exist.
func awaitNamespace(ctx context.Context, api reader, path string) (shown map[string]any, there bool, err error) {
	backoff := retry.WithMaxDuration(goneLimit, retry.WithCappedDuration(maxGoneWait, retry.NewExponential(firstGoneWait)))
	err = retry.Do(ctx, backoff, func(ctx context.Context) error {
		var err error
		shown, there, err = api.Read(ctx, path)
		if err == nil && there && object.Tainted(shown) {
			return retry.RetryableError(errBeingDeleted)
		}
		return err
	})
	if errors.Is(err, errBeingDeleted) {
		err = fault.Wait(err, "The server deletes a namespace in the background, and revokes its leases first. Run again later; if it never ends, the server's log says why.")
	}
	return shown, there, err
}

// writeNamespace creates a namespace or changes its custom metadata. It looks again first, and
// writes nothing if another has created it as declared meanwhile: a write without custom metadata
// would delete what is there.
func (a *applying) writeNamespace(ctx context.Context, c Change) error {
	shown, there, err := awaitNamespace(ctx, a.api, string(c.Object.ID))
	if err != nil {
		return err
	}
	if there && shownAs(c.Object, shown) {
		return nil
	}
	for _, each := range c.writes() {
		if _, _, err := a.send(ctx, each); err != nil {
			return err
		}
	}
	return nil
}

// removeNamespace deletes a namespace with those that it contains, and waits until they are gone.
func removeNamespace(ctx context.Context, api API, id object.ID, path string) error {
	inner, err := namespacesIn(ctx, api, path)
	if err != nil {
		return err
	}
	for _, name := range inner {
		within := path + "/" + name
		if err := removeNamespace(ctx, api, object.NamespaceID(within), within); err != nil {
			return err
		}
	}
	if err := api.Delete(ctx, string(id)); err != nil {
		return fmt.Errorf("deleting %s: %w", id, err)
	}
	if _, _, err := awaitNamespace(ctx, api, string(id)); err != nil {
		return fmt.Errorf("waiting until %s is gone: %w", id, err)
	}
	return nil
}

// namespacesIn returns the names of the namespaces in the one at path.
func namespacesIn(ctx context.Context, api reader, path string) ([]string, error) {
	listing := path + "/sys/namespaces"
	data, _, err := api.Read(ctx, listing+"?list=true")
	switch httpstatus.Of(err) {
	case http.StatusForbidden, http.StatusBadRequest, http.StatusMethodNotAllowed:
		return nil, nil // if there are some, deleting the one around them is refused
	}
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", listing, err)
	}
	keys, _ := data["keys"].([]any)
	var names []string
	for _, key := range keys {
		if name, _ := key.(string); value.TrimPath(name) != "" {
			names = append(names, value.TrimPath(name))
		}
	}
	return names, nil
}

// MakeNamespaces makes sure that the namespace at path is there, with those around it, and returns
// the paths of those that it has created.
func MakeNamespaces(ctx context.Context, api API, path string) (made []string, err error) {
	for i, char := range path + "/" {
		if char != '/' {
			continue
		}
		id := object.NamespaceID(path[:i])
		_, there, err := awaitNamespace(ctx, api, string(id))
		if err == nil && !there {
			if _, _, err = api.Put(ctx, string(id), map[string]any{}); err == nil {
				made = append(made, path[:i])
			}
		}
		if err != nil {
			return made, fmt.Errorf("%s: %w", id, err)
		}
	}
	return made, nil
}

// missingNamespaces returns an error for the namespaces in one that is neither declared nor there.
func missingNamespaces(ctx context.Context, api reader, objects, all []object.Object) error {
	declared := declaredIDs(all)
	problems := &value.Problems{}
	for _, o := range objects {
		if o.Stage != object.StageNamespaces || o.Namespace == "" {
			continue
		}
		around := object.NamespaceID(value.TrimPath(o.Namespace))
		if declared[around] {
			continue
		}
		_, there, err := api.Read(ctx, string(around))
		if err != nil {
			return fmt.Errorf("reading %s: %w", around, err)
		}
		if !there {
			problems.Add(o.Position, "%s lies in the namespace %q, which is neither declared nor there", o.ID, value.TrimPath(o.Namespace))
		}
	}
	return problems.Err("Declare that namespace in the seed, too.")
}

// namespaceSealed reports whether err says that a namespace with a seal of its own is sealed, as
// OpenBao 2.6 answers to every request into it.
func namespaceSealed(err error) bool {
	return httpstatus.Of(err) == http.StatusServiceUnavailable && product.NamespaceSealed.In(err.Error())
}

// errServerWide marks an object that the server has in its root namespace only.
var errServerWide = errors.New("the server has this in its root namespace only")

// serverWide reports whether err says that something is in the root namespace only: OpenBao 2.6
// answers so about quotas, the UI's headers and others.
func serverWide(err error) bool {
	return httpstatus.Of(err) == http.StatusBadRequest && product.RootNamespaceOnly.In(err.Error())
}

// refusedServerWide is the error for an object that the server has in its root namespace only.
func refusedServerWide() error {
	return fault.Part(errServerWide, "Move the object out of the namespace, to the top level of the seed; with --vault-namespace, to a seed for the root namespace.")
}

// Sealed is a sealed namespace: what the seed declares in it was neither compared nor written.
type Sealed struct {
	// Namespace is its path.
	Namespace string
	// Objects is how many objects are declared in it.
	Objects int
}

// sealedSpaces counts objects by their namespace, with a trailing slash, where that is sealed.
type sealedSpaces map[string]int

// holds reports whether a namespace is sealed, itself or with one around it.
func (s sealedSpaces) holds(ns string) bool {
	for sealed := range s {
		if strings.HasPrefix(ns, sealed) {
			return true
		}
	}
	return false
}

// list returns the sealed namespaces, those in other ones with these.
func (s sealedSpaces) list() []Sealed {
	var found []Sealed
	for _, ns := range slices.Sorted(maps.Keys(s)) {
		last := len(found) - 1
		if last >= 0 && strings.HasPrefix(ns, found[last].Namespace+"/") {
			found[last].Objects += s[ns]
			continue
		}
		found = append(found, Sealed{value.TrimPath(ns), s[ns]})
	}
	return found
}

// Incomplete returns an error that names the sealed namespaces, whose objects are not part of the
// plan; nil if there are none.
func (p *Plan) Incomplete() error {
	if len(p.Sealed) == 0 {
		return nil
	}
	texts := make([]string, len(p.Sealed))
	for i, s := range p.Sealed {
		texts[i] = fmt.Sprintf("the namespace %q is sealed, so that %d objects in it were neither compared nor written", s.Namespace, s.Objects)
	}
	return fault.Part(errors.New(strings.Join(texts, "; ")), unsealRemedy)
}

const unsealRemedy = "Have it unsealed by those who hold its key shares ('bao namespace unseal'), and run again: everything else is done."
