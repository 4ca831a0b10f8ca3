// Package vaulttest is a fake Vault for tests: it knows tokens, logins and the paths that a test
// gives it, and fails the test on every other request.
//
// It is for tests that show, quickly and on command, what an act does with an answer. Only the
// suites in test/ show that Vault gives such answers.
package vaulttest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/vault"
)

// Token is a token of the server.
type Token struct {
	Accessor string
	Policies []string
	Orphan   bool
	Type     string // "service" if empty
	Path     string
	Created  time.Time
	// Survives is set for one that still works after it was revoked.
	Survives bool
}

// Server is one active server.
type Server struct {
	// Cluster is a client for it, at Address.
	Cluster *vault.Cluster
	Address string

	// Tokens are the live tokens, by their values.
	Tokens map[string]*Token
	// Logins holds, by the login's path, a function that returns the token for a credential; ""
	// refuses it.
	Logins map[string]func(credential map[string]any) string
	// Data is what reads answer, by path; nil is a 404. Writes and deletions change existing
	// entries.
	Data map[string]map[string]any
	// Capabilities are what sys/capabilities-self answers to each path; nil for root's.
	Capabilities []string
	// Requests are the requests that have changed something, in order.
	Requests []string

	mu sync.Mutex
	t  *testing.T
}

// New starts an empty server.
func New(t *testing.T) *Server {
	t.Helper()
	s := &Server{Tokens: map[string]*Token{}, Logins: map[string]func(map[string]any) string{}, Data: map[string]map[string]any{}, t: t}
	listener := httptest.NewServer(s)
	t.Cleanup(listener.Close)
	cluster, err := vault.New(vault.Config{Addresses: []string{listener.URL}})
	if err != nil {
		t.Fatal(err)
	}
	s.Cluster, s.Address = cluster, listener.URL
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, body := strings.TrimPrefix(r.URL.Path, "/v1/"), map[string]any{}
	if r.Method == http.MethodPut || r.Method == http.MethodPost {
		_ = json.NewDecoder(r.Body).Decode(&body) // it may have none
	}
	if login, known := s.Logins[strings.TrimPrefix(path, "auth/")]; known {
		if token := login(body); token != "" {
			s.reply(w, http.StatusOK, map[string]any{"auth": map[string]any{"client_token": token}})
			return
		}
		s.refuse(w, http.StatusForbidden, "permission denied")
		return
	}
	name := r.Header.Get("X-Vault-Token")
	token := s.Tokens[name]
	if token == nil {
		s.refuse(w, http.StatusForbidden, "permission denied")
		return
	}
	listing := r.Method == "LIST" || r.URL.Query().Get("list") == "true"
	switch data, known := s.Data[path]; {
	case path == "auth/token/lookup-self":
		s.data(w, shown(token))
	case path == "auth/token/revoke-self":
		s.note(r, path)
		s.revoke(name)
		w.WriteHeader(http.StatusNoContent)
	case path == "auth/token/accessors" && listing:
		var accessors []any
		for _, each := range slices.Sorted(maps.Keys(s.Tokens)) {
			accessors = append(accessors, s.Tokens[each].Accessor)
		}
		s.data(w, map[string]any{"keys": accessors})
	case path == "auth/token/lookup-accessor" || path == "auth/token/revoke-accessor":
		s.byAccessor(w, r, path, body["accessor"])
	case path == "sys/capabilities-self":
		s.capabilities(w, body["paths"])
	case known && data == nil && r.Method == http.MethodGet:
		s.reply(w, http.StatusNotFound, map[string]any{"errors": []string{}})
	case known && r.Method == http.MethodGet && !listing:
		s.data(w, data)
	case known && r.Method == http.MethodDelete:
		s.note(r, path)
		s.Data[path] = nil
		w.WriteHeader(http.StatusNoContent)
	case known && (r.Method == http.MethodPut || r.Method == http.MethodPost):
		s.note(r, path)
		s.Data[path] = body
		w.WriteHeader(http.StatusNoContent)
	default:
		s.t.Errorf("the server does not know %s %s", r.Method, path)
		s.refuse(w, http.StatusBadRequest, "not known to this test")
	}
}

func (s *Server) byAccessor(w http.ResponseWriter, r *http.Request, path string, accessor any) {
	for name, token := range s.Tokens {
		if token.Accessor != accessor {
			continue
		}
		if path == "auth/token/lookup-accessor" {
			s.data(w, shown(token))
			return
		}
		s.note(r, path)
		s.revoke(name)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	s.refuse(w, http.StatusForbidden, "invalid accessor")
}

func (s *Server) revoke(name string) {
	if !s.Tokens[name].Survives {
		delete(s.Tokens, name)
	}
}

func (s *Server) capabilities(w http.ResponseWriter, paths any) {
	granted := s.Capabilities
	if granted == nil {
		granted = []string{"root"}
	}
	data := map[string]any{}
	list, _ := paths.([]any)
	for _, path := range list {
		if text, ok := path.(string); ok {
			data[text] = granted
		}
	}
	s.data(w, data)
}

func shown(token *Token) map[string]any {
	kind := token.Type
	if kind == "" {
		kind = "service"
	}
	return map[string]any{
		"accessor": token.Accessor, "policies": token.Policies, "orphan": token.Orphan, "type": kind,
		"path": token.Path, "creation_time": token.Created.Unix(),
	}
}

// note records a request that changes something.
func (s *Server) note(r *http.Request, path string) {
	s.Requests = append(s.Requests, r.Method+" "+path)
}

func (s *Server) data(w http.ResponseWriter, data map[string]any) {
	s.reply(w, http.StatusOK, map[string]any{"data": data})
}

func (s *Server) refuse(w http.ResponseWriter, status int, words string) {
	s.reply(w, status, map[string]any{"errors": []string{words}})
}

func (s *Server) reply(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.t.Error(err)
	}
}
