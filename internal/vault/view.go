package vault

import (
	"context"
	"fmt"
	"strings"
)

// View is a read-only session: it has no method that changes Vault. The zero View has no session.
type View struct{ session *Session }

// View returns a read-only view of the session.
func (s *Session) View() View { return View{s} }

// Of reports whether it is a view of session.
func (v View) Of(session *Session) bool { return v.session != nil && v.session == session }

// None reports whether it has no session.
func (v View) None() bool { return v.session == nil }

// InRoot is Session.InRoot.
func (v View) InRoot() View {
	if v.session == nil {
		return v
	}
	return View{v.session.InRoot()}
}

// Read is Session.Read.
func (v View) Read(ctx context.Context, path string) (map[string]any, bool, error) {
	return v.session.Read(ctx, path)
}

// List is Session.List.
func (v View) List(ctx context.Context, path string) ([]string, bool, error) {
	return v.session.List(ctx, path)
}

// Fields is Session.Fields.
func (v View) Fields(ctx context.Context, path string) ([]string, error) {
	return v.session.Fields(ctx, path)
}

// Deletable is Session.Deletable.
func (v View) Deletable(ctx context.Context, path string) (bool, error) {
	return v.session.Deletable(ctx, path)
}

// Peek is Session.Peek.
func (v View) Peek(ctx context.Context, path string) (map[string]any, error) {
	return v.session.Peek(ctx, path)
}

// Identity is Session.Identity.
func (v View) Identity(ctx context.Context) (Identity, error) { return v.session.Identity(ctx) }

// Capabilities is Session.Capabilities.
func (v View) Capabilities(ctx context.Context, paths []string) (map[string][]string, error) {
	return v.session.Capabilities(ctx, paths)
}

// Ask sends a query that has a body, which is a write to Vault but changes nothing. It refuses all
// other paths. The path may begin with a namespace.
func (v View) Ask(ctx context.Context, path string, data map[string]any) (map[string]any, error) {
	for _, query := range []string{"auth/token/lookup-accessor", "sys/capabilities-self"} {
		if path == query || strings.HasSuffix(path, "/"+query) {
			return v.session.Write(ctx, path, data)
		}
	}
	return nil, fmt.Errorf("%s: not a query that a read-only session may send", path)
}
