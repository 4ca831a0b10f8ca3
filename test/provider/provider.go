// Package provider is an OpenID Connect provider on loopback at which people log in with a
// password. The protocol is that of a certified library; only the page and the people are ours.
package provider

import (
	"context"
	"crypto/rand"
	"html/template"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Person is somebody who can log in.
type Person struct {
	// Name is what is typed in, and the first part of the address.
	Name, Password string
	// Groups are those that the provider says the person is in.
	Groups []string
}

// Email is the address of a person.
func (p Person) Email() string { return p.Name + "@example.org" }

// StartFor starts a provider with one client, which may ask for the scope groups, and returns the
// issuer's URL. It ends with the test.
func StartFor(t *testing.T, clientID, clientSecret string, redirects []string, people ...Person) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	issuer := "http://" + server.Listener.Addr().String()
	directory := directory(people)
	clients := map[string]*storage.Client{clientID: storage.WebClient(clientID, clientSecret, redirects...)}
	store := &store{Storage: storage.NewStorageWithClients(directory, clients), directory: directory}
	config := &op.Config{CodeMethodS256: true, AuthMethodPost: true}
	_, _ = rand.Read(config.CryptoKey[:])
	provider, err := op.NewProvider(config, store, op.StaticIssuer(issuer), op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", provider)
	mux.HandleFunc("GET /login/username", func(w http.ResponseWriter, r *http.Request) {
		_ = page.Execute(w, r.FormValue("authRequestID"))
	})
	interceptor, callback := op.NewIssuerInterceptor(provider.IssuerFromRequest), op.AuthCallbackURL(provider)
	mux.HandleFunc("POST /login/username", interceptor.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.FormValue("id")
		if err := store.CheckUsernamePassword(r.FormValue("username"), r.FormValue("password"), id); err != nil {
			http.Error(w, "wrong name or password", http.StatusForbidden)
			return
		}
		http.Redirect(w, r, callback(r.Context(), id), http.StatusFound)
	}))
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(server.Close)
	return issuer
}

var page = template.Must(template.New("login").Parse(`<!doctype html><title>Log in</title>
<form method="post" action="/login/username"><input type="hidden" name="id" value="{{.}}">
<input id="username" name="username"><input id="password" name="password" type="password">
<button id="submit">Log in</button></form>`))

// directory is the people, as the library looks them up.
type directory []Person

func (d directory) user(is func(Person) bool) *storage.User {
	for _, p := range d {
		if is(p) {
			return &storage.User{ID: p.Name, Username: p.Name, Password: p.Password, FirstName: p.Name, Email: p.Email(), EmailVerified: true}
		}
	}
	return nil
}

func (d directory) GetUserByID(id string) *storage.User {
	return d.user(func(p Person) bool { return p.Name == id })
}

func (d directory) GetUserByUsername(name string) *storage.User { return d.GetUserByID(name) }

func (d directory) ExampleClientID() string { return "" }

func (d directory) groups(id string) (groups []string) {
	for _, p := range d {
		if p.Name == id {
			groups = p.Groups
		}
	}
	return groups
}

// store adds groups to what the library's store knows of people.
type store struct {
	*storage.Storage
	directory directory
}

// client is one that may ask for groups.
type client struct{ op.Client }

func (c client) IsScopeAllowed(scope string) bool { return scope == "groups" }

func (s *store) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	found, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return client{found}, nil
}

// SetUserinfoFromToken is what the library asks for the endpoint at which a client reads who has
// logged in.
func (s *store) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	if err := s.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin); err != nil {
		return err
	}
	info.AppendClaims("groups", s.directory.groups(subject))
	return nil
}
