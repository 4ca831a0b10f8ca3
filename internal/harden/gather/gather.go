// Package gather reads from Vault what the controls judge. It only sends lists, reads and lookups.
//
// What Vault refuses or does not have becomes an unknown fact that says why, and which grant would
// allow it. The package must not know how a session was opened.
package gather

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/vault-bootstrap/vault-bootstrap/internal/harden"
	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
)

// API is what the package needs of Vault, with one token. Numbers arrive as
// json.Number. found is false where Vault answers 404.
type API interface {
	Read(ctx context.Context, path string) (data map[string]any, found bool, err error)
	List(ctx context.Context, path string) (names []string, found bool, err error)
	// Ask is for queries that have a body; it changes nothing.
	Ask(ctx context.Context, path string, data map[string]any) (map[string]any, error)
	// Peek reads endpoints whose answer has no 'data', such as sys/rekey/init.
	Peek(ctx context.Context, path string) (map[string]any, error)
}

// gatherer reads with a bounded number of requests in flight.
type gatherer struct {
	api      API
	declared harden.Declarations
	slots    chan struct{}

	mu      *sync.Mutex // over trouble
	trouble *error      // the first error that may pass
}

// Vault reads the groups into facts, at most parallelism requests at a time. The error is one that
// may pass: what Vault refuses is an unknown fact, not an error. All facts are set in either case.
// facts.Product and facts.Declared are known before: the first says where some facts are read.
func Vault(ctx context.Context, api API, groups []harden.Group, parallelism int, facts *harden.Facts) error {
	var trouble error
	g := &gatherer{api: api, declared: facts.Declared, slots: make(chan struct{}, max(1, parallelism)), mu: &sync.Mutex{}, trouble: &trouble}
	var work sync.WaitGroup
	for group, read := range g.readers() {
		if slices.Contains(groups, group) {
			work.Go(func() { read(ctx, facts) })
		}
	}
	if own := harden.InnerGroups(groups); len(own) > 0 {
		work.Go(func() { facts.Inner = g.inner(ctx, own) })
	}
	work.Wait()
	return trouble
}

// readers returns what reads each group.
func (g *gatherer) readers() map[harden.Group]func(context.Context, *harden.Facts) {
	return map[harden.Group]func(context.Context, *harden.Facts){
		harden.GroupAudit: g.audit, harden.GroupMounts: g.mounts, harden.GroupServer: g.server, harden.GroupCORS: g.cors,
		harden.GroupHeaders: g.headers, harden.GroupPolicies: g.policies, harden.GroupPasswords: g.passwords,
		harden.GroupQuotas: g.quotas, harden.GroupAttempts: g.attempts, harden.GroupKey: g.key, harden.GroupRaft: g.raft,
		harden.GroupLoggers: g.loggers, harden.GroupRoles: g.roles, harden.GroupTokens: g.tokens,
	}
}

// note remembers an error that is not a refusal, and returns it.
func (g *gatherer) note(path string, err error) error {
	if status := httpstatus.Of(err); err != nil && (status == 0 || status >= serverError) && !sealed(err) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if *g.trouble == nil {
			*g.trouble = fmt.Errorf("reading %s: %w", path, err)
		}
	}
	return err
}

func (g *gatherer) read(ctx context.Context, path string) (map[string]any, bool, error) {
	g.slots <- struct{}{}
	defer func() { <-g.slots }()
	data, found, err := g.api.Read(ctx, path)
	return data, found, g.note(path, err)
}

// list returns the names below path, if any.
func (g *gatherer) list(ctx context.Context, path string) ([]string, error) {
	g.slots <- struct{}{}
	defer func() { <-g.slots }()
	names, _, err := g.api.List(ctx, path)
	return names, g.note(path, err)
}

// each reads every name below path, in parallel, and keeps those that are still there.
func each[T any](ctx context.Context, g *gatherer, path string, names []string, decode func(name string, data map[string]any) T) ([]T, error) {
	found := make([]*T, len(names))
	errs := make([]error, len(names))
	var work sync.WaitGroup
	for i, name := range names {
		work.Go(func() {
			data, there, err := g.read(ctx, path+"/"+name)
			if err == nil && there {
				value := decode(name, data)
				found[i] = &value
			}
			errs[i] = err
		})
	}
	work.Wait()
	var all []T
	for _, value := range found {
		if value != nil {
			all = append(all, *value)
		}
	}
	return all, firstError(errs)
}

// firstError returns one of errs: if many names fail, it is mostly for the same reason.
func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// listEach lists what is below path and reads each.
func listEach[T any](ctx context.Context, g *gatherer, path string, decode func(name string, data map[string]any) T) harden.Fact[[]T] {
	names, err := g.list(ctx, path)
	if err != nil {
		return unknown[[]T](path, "list", err)
	}
	found, err := each(ctx, g, path, names, decode)
	if err != nil {
		return unknown[[]T](path+"/+", "read", err)
	}
	return harden.Known(found)
}

// Statuses of Vault's answers: permission denied, a path that there is not, an endpoint that the
// listener has closed, and server errors.
const (
	forbidden   = 403
	absentPath  = 404
	closed      = 405
	serverError = 500
)

// unknown says why something could not be read, and what would allow it.
func unknown[T any](path, verb string, err error) harden.Fact[T] {
	if httpstatus.Of(err) == forbidden {
		return harden.NotKnown[T](fmt.Sprintf("our policy does not let us %s %s; 'vault-bootstrap seed policy SEED' prints one that does", verb, path))
	}
	return harden.NotKnown[T](err.Error())
}

// absent says that Vault has no such endpoint.
func absent[T any](path string) harden.Fact[T] {
	return harden.NotKnown[T]("this server does not have " + path)
}

// trim removes the trailing slash of a mount's path.
func trim(path string) string { return strings.TrimSuffix(path, "/") }
