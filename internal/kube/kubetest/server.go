// Package kubetest is a Kubernetes API server for tests: it keeps objects of one namespace in
// memory, with the revisions, preconditions and watches that our packages rely on, and refuses on
// command what a real server cannot be made to refuse. A request that it does not know fails the
// test. It must not know what the objects mean to us.
package kubetest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// Namespace is the only namespace of the server.
const Namespace = "ns"

// resources are the types that the server keeps, by the plural in their paths.
var resources = map[string]metav1.TypeMeta{
	"secrets":                {APIVersion: "v1", Kind: "Secret"},
	"configmaps":             {APIVersion: "v1", Kind: "ConfigMap"},
	"pods":                   {APIVersion: "v1", Kind: "Pod"},
	"persistentvolumeclaims": {APIVersion: "v1", Kind: "PersistentVolumeClaim"},
	"events":                 {APIVersion: "v1", Kind: "Event"},
	"leases":                 {APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
}

// Request is a request as the server has understood it.
type Request struct {
	// Verb is that of a Role's rule, except that it is apply or merge instead of patch. For a
	// review it is create, and Resource is that of the review.
	Verb, Resource, Name string
	// Rehearsed is set for a dry run.
	Rehearsed bool
	// Body is what was sent; nil if nothing was.
	Body map[string]any
}

// String returns the verb, the resource and the name.
func (r Request) String() string {
	text := strings.TrimSpace(r.Verb + " " + r.Resource + " " + r.Name)
	if r.Rehearsed {
		text += " (rehearsed)"
	}
	return text
}

// document is an object as JSON.
type document = map[string]any

// Server is an API server.
type Server struct {
	t    testing.TB
	http *httptest.Server

	mu        sync.Mutex
	objects   map[string]map[string]document // by resource and name
	documents map[string]any                 // by path
	revision  int
	requests  []Request
	refuse    func(Request) *metav1.Status
	allowed   func(access) bool
	watchers  map[*watcher]bool
}

// access is the access that a review asks about.
type access struct{ User, Verb, Resource, Name string }

// Start starts a server that is stopped at the end of the test.
func Start(t testing.TB) *Server {
	s := &Server{
		t: t, objects: map[string]map[string]document{}, documents: map[string]any{}, watchers: map[*watcher]bool{},
	}
	s.http = httptest.NewServer(s)
	t.Cleanup(func() {
		s.EndWatches()
		s.http.Close()
	})
	return s
}

// Config returns how to reach the server.
func (s *Server) Config() *rest.Config { return &rest.Config{Host: s.http.URL} }

// Stop makes the server stop answering.
func (s *Server) Stop() {
	s.EndWatches()
	s.http.Close()
}

// Refuse makes the server call decide for each request before it is served: if it returns a status,
// that is the answer. decide must not call the server.
func (s *Server) Refuse(decide func(Request) *metav1.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = decide
}

// Allow makes the server answer access reviews with may; without it everything is allowed. user is
// empty if we ask about ourselves.
func (s *Server) Allow(may func(user, verb, resource, name string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowed = func(a access) bool { return may(a.User, a.Verb, a.Resource, a.Name) }
}

// Serve makes the server answer GETs of a path with a document.
func (s *Server) Serve(path string, content any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.documents[path] = content
}

// Requests returns the requests since the last call.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	return requests
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, err := understand(r)
	if err != nil {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		answer(w, http.StatusNotImplemented, metav1.Status{Status: metav1.StatusFailure, Message: err.Error(), Code: http.StatusNotImplemented})
		return
	}
	s.mu.Lock()
	s.requests = append(s.requests, request)
	if s.refuse != nil {
		if status := s.refuse(request); status != nil {
			s.mu.Unlock()
			answer(w, int(status.Code), status)
			return
		}
	}
	if request.Verb == "watch" {
		watch := s.watch(request)
		s.mu.Unlock()
		s.follow(watch, w, r)
		return
	}
	code, content := s.serve(request, r.URL.Path)
	s.mu.Unlock()
	answer(w, code, content)
}

func answer(w http.ResponseWriter, code int, content any) {
	if status, ok := content.(*metav1.Status); ok {
		status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(content)
}

// understand parses a request.
func understand(r *http.Request) (Request, error) {
	request := Request{Rehearsed: r.URL.Query().Get("dryRun") == metav1.DryRunAll}
	if body, err := io.ReadAll(r.Body); err != nil || len(body) > 0 && json.Unmarshal(body, &request.Body) != nil {
		return request, fmt.Errorf("a body that is not JSON: %q, %w", body, err)
	}
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	at := slices.Index(path, "namespaces")
	if at < 0 || len(path) < at+3 {
		request.Verb, request.Resource = map[string]string{http.MethodGet: "get", http.MethodPost: "create"}[r.Method], path[len(path)-1]
		if request.Verb == "" {
			return request, fmt.Errorf("%s outside of a namespace", r.Method)
		}
		return request, nil
	}
	if path[at+1] != Namespace {
		return request, fmt.Errorf("there is no namespace %q", path[at+1])
	}
	request.Resource = path[at+2]
	if len(path) > at+3 {
		request.Name = path[at+3]
	}
	verbs := map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}
	switch request.Verb = verbs[r.Method]; {
	case request.Verb != "":
	case r.URL.Query().Get("watch") == "true":
		request.Verb, request.Name = "watch", strings.TrimPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
	case request.Name != "":
		request.Verb = "get"
	default:
		request.Verb = "list"
		request.Body = document{"selector": r.URL.Query().Get("labelSelector")}
	}
	if request.Verb == "patch" {
		request.Verb = map[string]string{"application/apply-patch+yaml": "apply", "application/merge-patch+json": "merge"}[r.Header.Get("Content-Type")]
		if request.Verb == "" {
			return request, fmt.Errorf("a patch of type %q", r.Header.Get("Content-Type"))
		}
	}
	return request, nil
}

// serve answers a request that is not a watch. The caller holds the lock.
func (s *Server) serve(request Request, path string) (int, any) {
	if content, ok := s.documents[path]; ok && request.Verb != "create" {
		return http.StatusOK, content
	}
	if request.Verb == "create" && request.Name == "" && strings.HasSuffix(request.Resource, "reviews") {
		return http.StatusCreated, s.review(request)
	}
	kind, known := resources[request.Resource]
	if !known {
		s.t.Errorf("%s %s: the server does not know it", request.Verb, path)
		return http.StatusNotFound, notFound(request)
	}
	present := s.objects[request.Resource][request.Name]
	if present == nil && slices.Contains([]string{"get", "update", "merge", "delete"}, request.Verb) {
		return http.StatusNotFound, notFound(request)
	}
	switch request.Verb {
	case "get":
		return http.StatusOK, present
	case "list":
		return http.StatusOK, s.list(kind, request)
	case "delete":
		return s.remove(request, present)
	default:
		return s.write(request, kind, present)
	}
}

// review answers access reviews and SelfSubjectReviews.
func (s *Server) review(request Request) any {
	if request.Resource == "selfsubjectreviews" {
		return document{"status": document{"userInfo": document{"username": "system:serviceaccount:" + Namespace + ":us"}}}
	}
	var asked struct {
		Spec struct {
			User               string                                           `json:"user"`
			ResourceAttributes struct{ Verb, Resource, Name, Namespace string } `json:"resourceAttributes"`
		} `json:"spec"`
	}
	into(s.t, request.Body, &asked)
	attributes := asked.Spec.ResourceAttributes
	allowed := s.allowed == nil || s.allowed(access{asked.Spec.User, attributes.Verb, attributes.Resource, attributes.Name})
	review := maps.Clone(request.Body)
	review["status"] = document{"allowed": allowed}
	return review
}

func groupResource(resource string) schema.GroupResource {
	group, _, _ := strings.Cut(resources[resource].APIVersion, "/")
	if group == "v1" {
		group = ""
	}
	return schema.GroupResource{Group: group, Resource: resource}
}

func notFound(request Request) *metav1.Status {
	status := apierrors.NewNotFound(groupResource(request.Resource), request.Name).Status()
	return &status
}

// into decodes a document into a type.
func into(t testing.TB, from, to any) {
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		t.Errorf("decoding %v: %v", from, err)
	}
}
