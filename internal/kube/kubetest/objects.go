package kubetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Put stores an object as somebody else would, overwriting an existing one.
func (s *Server) Put(resource string, object metav1.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var put document
	into(s.t, object, &put)
	s.store(resource, object.GetName(), put)
}

// Get reads the object called name into object, and reports whether it is there.
func (s *Server) Get(resource, name string, object any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	present := s.objects[resource][name]
	if present != nil {
		into(s.t, present, object)
	}
	return present != nil
}

// Remove removes the object called name.
func (s *Server) Remove(resource, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(resource, name)
}

// Names returns the names of the objects of a resource, sorted.
func (s *Server) Names(resource string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects[resource]))
}

// store keeps an object at a new revision. The caller holds the lock.
func (s *Server) store(resource, name string, object document) document {
	s.revision++
	metadata := part(object, "metadata")
	present := s.objects[resource][name]
	if present != nil {
		metadata["uid"] = part(present, "metadata")["uid"]
	} else if metadata["uid"] == nil || metadata["uid"] == "" {
		metadata["uid"] = fmt.Sprintf("uid-%d", s.revision)
	}
	metadata["name"], metadata["namespace"], metadata["resourceVersion"] = name, Namespace, strconv.Itoa(s.revision)
	object["apiVersion"], object["kind"] = resources[resource].APIVersion, resources[resource].Kind
	if s.objects[resource] == nil {
		s.objects[resource] = map[string]document{}
	}
	s.objects[resource][name] = object
	change := "ADDED"
	if present != nil {
		change = "MODIFIED"
	}
	s.publish(resource, name, change, object)
	return object
}

func (s *Server) drop(resource, name string) {
	if present := s.objects[resource][name]; present != nil {
		delete(s.objects[resource], name)
		s.publish(resource, name, "DELETED", present)
	}
}

func (s *Server) list(kind metav1.TypeMeta, request Request) any {
	items := []document{}
	selector, _ := request.Body["selector"].(string)
	for _, name := range slices.Sorted(maps.Keys(s.objects[request.Resource])) {
		object := s.objects[request.Resource][name]
		if selects(selector, part(part(object, "metadata"), "labels")) {
			items = append(items, object)
		}
	}
	return document{"apiVersion": kind.APIVersion, "kind": kind.Kind + "List", "metadata": document{}, "items": items}
}

// selects understands selectors such as a=b,c=d.
func selects(selector string, labels document) bool {
	for each := range strings.SplitSeq(selector, ",") {
		if name, value, ok := strings.Cut(each, "="); ok && labels[name] != value {
			return false
		}
	}
	return true
}

func (s *Server) remove(request Request, present document) (int, any) {
	preconditions := part(request.Body, "preconditions")
	if uid := preconditions["uid"]; uid != nil && uid != part(present, "metadata")["uid"] {
		return conflict(request, "the UID in the precondition is another one")
	}
	s.drop(request.Resource, request.Name)
	return http.StatusOK, &metav1.Status{Status: metav1.StatusSuccess}
}

// write creates, updates or patches.
func (s *Server) write(request Request, kind metav1.TypeMeta, present document) (int, any) {
	body := clone(request.Body)
	name := request.Name
	if name == "" {
		metadata := part(body, "metadata")
		if name, _ = metadata["name"].(string); name == "" {
			prefix, _ := metadata["generateName"].(string)
			name = prefix + strconv.Itoa(s.revision+1)
		}
	}
	if revision := part(body, "metadata")["resourceVersion"]; revision != nil && present != nil && revision != part(present, "metadata")["resourceVersion"] {
		return conflict(request, "the object has been modified")
	}
	next := body
	if request.Verb == "merge" || request.Verb == "apply" && present != nil {
		next = clone(present)
		merge(next, body)
		delete(part(next, "metadata"), "managedFields")
	}
	next["apiVersion"], next["kind"] = kind.APIVersion, kind.Kind
	if present != nil && present["immutable"] == true && !reflect.DeepEqual(present["data"], next["data"]) {
		return invalid(request, field.Forbidden(field.NewPath("data"), "field is immutable when `immutable` is set"))
	}
	if data, _ := json.Marshal(next["data"]); len(data) > 1<<20*4/3 {
		return invalid(request, field.TooLong(field.NewPath("data"), "", corev1.MaxSecretSize))
	}
	code := http.StatusOK
	if present == nil {
		code = http.StatusCreated
	}
	if request.Rehearsed {
		if present == nil {
			delete(part(next, "metadata"), "resourceVersion")
		}
		return code, next
	}
	if present != nil && reflect.DeepEqual(present, next) {
		return code, present // a write that changes nothing makes no revision
	}
	return code, s.store(request.Resource, name, next)
}

// merge applies a JSON merge patch (RFC 7386).
func merge(into, patch document) {
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(into, key)
		case document:
			inner, ok := into[key].(document)
			if !ok {
				inner = document{}
				into[key] = inner
			}
			merge(inner, value)
		default:
			into[key] = value
		}
	}
}

// part returns a nested object, and creates it if there is none.
func part(of document, name string) document {
	inner, ok := of[name].(document)
	if !ok {
		inner = document{}
		if of != nil {
			of[name] = inner
		}
	}
	return inner
}

func clone(of document) document {
	text, _ := json.Marshal(of)
	var cloned document
	_ = json.Unmarshal(text, &cloned)
	return cloned
}

func conflict(request Request, why string) (int, any) {
	status := apierrors.NewConflict(groupResource(request.Resource), request.Name, errors.New(why)).Status()
	return http.StatusConflict, &status
}

func invalid(request Request, why *field.Error) (int, any) {
	kind := schema.GroupKind{Kind: resources[request.Resource].Kind}
	status := apierrors.NewInvalid(kind, request.Name, field.ErrorList{why}).Status()
	return http.StatusUnprocessableEntity, &status
}

// Denied is the authorizer's refusal of a request.
func Denied(r Request) *metav1.Status {
	verb := r.Verb
	if verb == "apply" || verb == "merge" {
		verb = "patch"
	}
	why := fmt.Errorf("User %q cannot %s resource %q in API group %q in the namespace %q", "us", verb, r.Resource, groupResource(r.Resource).Group, Namespace) //nolint:staticcheck // the words of the API server
	status := apierrors.NewForbidden(groupResource(r.Resource), r.Name, why).Status()
	return &status
}

// Forbidden is the refusal of an admission plugin, such as a quota.
func Forbidden(r Request, why string) *metav1.Status {
	status := apierrors.NewForbidden(groupResource(r.Resource), r.Name, errors.New(why)).Status()
	return &status
}

// Terminating is the refusal of a namespace that is being deleted.
func Terminating(r Request) *metav1.Status {
	status := Forbidden(r, "unable to create new content in namespace "+Namespace+" because it is being terminated")
	status.Details.Causes = append(status.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
	return status
}

// Broken is the answer of a server with an internal error.
func Broken(Request) *metav1.Status {
	status := apierrors.NewInternalError(errors.New("etcd is away")).Status()
	return &status
}
