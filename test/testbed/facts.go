package testbed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
)

// Facts are what a server does in its product's own settings, as it answered when it was asked.
// Tests that need one of them say so, see NotApplicable.
type Facts struct {
	Server
	// AuditByAPI says that it makes audit devices by its API.
	AuditByAPI bool
	// GenerateRoot and Rekey say that it takes key shares for these without a token.
	GenerateRoot, Rekey bool
	// Namespaces says that it has namespaces.
	Namespaces bool

	plugins map[string][]string
}

// BuiltIn says whether a plugin is in the catalog, by its type (auth, secret, database) and name.
func (f Facts) BuiltIn(kind, name string) bool { return slices.Contains(f.plugins[kind], name) }

var suiteFacts = sync.OnceValues(func() (Facts, error) {
	s, err := LookServer()
	if err != nil {
		return Facts{}, err
	}
	return ReadFacts(context.Background(), s)
})

// FactsFor returns the facts of the server that the suites run against. The first one who asks
// waits for a second.
func FactsFor(t TB) Facts {
	t.Helper()
	f, err := suiteFacts()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return f
}

// ReadFacts starts a server for the occasion, and asks it.
func ReadFacts(ctx context.Context, s Server) (f Facts, err error) {
	c, err := StartVault(ctx, VaultOptions{Binary: s.Binary, Storage: "inmem", Guarded: true})
	if err != nil {
		return Facts{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	keys, err := c.Initialize(ctx, 1, 1)
	if err == nil {
		err = c.Unseal(ctx, keys)
	}
	if err != nil {
		return Facts{}, fmt.Errorf("asking %s what it does: %w", s, err)
	}
	return c.Nodes[0].facts(ctx, s, keys.RootToken)
}

func (n *VaultNode) facts(ctx context.Context, s Server, root string) (Facts, error) {
	f := Facts{Server: s}
	var health struct{ Version string }
	if err := n.Call(ctx, http.MethodGet, "sys/health", "", nil, &health); err != nil {
		return f, err
	}
	if health.Version != s.Version {
		return f, fmt.Errorf("%s says %q in its answers to sys/health", s, health.Version)
	}
	device := map[string]any{"type": "file", "options": map[string]string{"file_path": "stdout"}}
	for _, question := range []struct {
		answer *bool
		method string
		path   string
		token  string
		in     any
	}{
		{&f.AuditByAPI, http.MethodPut, "sys/audit/asked", root, device},
		{&f.GenerateRoot, http.MethodGet, "sys/generate-root/attempt", "", nil},
		{&f.Rekey, http.MethodGet, "sys/rekey/init", "", nil},
		{&f.Namespaces, http.MethodPut, "sys/namespaces/asked", root, map[string]any{}},
	} {
		err := n.Call(ctx, question.method, question.path, question.token, question.in, nil)
		if refused, ok := errors.AsType[*VaultError](err); err != nil && (!ok || refused.Status >= 500) {
			return f, err
		}
		*question.answer = err == nil
	}
	var catalog struct{ Data map[string]any }
	if err := n.Call(ctx, http.MethodGet, "sys/plugins/catalog", root, nil, &catalog); err != nil {
		return f, err
	}
	f.plugins = map[string][]string{}
	for _, kind := range []string{"auth", "secret", "database"} {
		names, _ := catalog.Data[kind].([]any)
		for _, name := range names {
			if name, ok := name.(string); ok {
				f.plugins[kind] = append(f.plugins[kind], name)
			}
		}
		if f.plugins[kind] == nil {
			return f, fmt.Errorf("%s lists no plugin of type %s", s, kind)
		}
	}
	return f, nil
}

// Skipper is what NotApplicable needs of a testing.TB.
type Skipper interface {
	TB
	Skipf(format string, args ...any)
}

// notApplicable begins the reason of a test that a server gives nothing to test to: test/run
// counts these apart from what a machine lacks.
const notApplicable = "not applicable: "

// NotApplicable ends a test that the server gives nothing to test to, and says why. What the
// program does wrong with a server is no reason: that test fails.
func NotApplicable(t Skipper, format string, args ...any) {
	t.Helper()
	s, err := LookServer()
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Skipf(notApplicable+"%s: "+format, append([]any{s}, args...)...)
}

// NeedsPlugin ends a test of a plugin that the server's catalog does not have.
func NeedsPlugin(t Skipper, kind, name string) {
	t.Helper()
	if !FactsFor(t).BuiltIn(kind, name) {
		NotApplicable(t, "%s is not among its plugins of type %s", name, kind)
	}
}
