package kubestore

import (
	"context"
	"fmt"
	"strings"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// seenObjects is what the latest answers of the API server said about our objects, besides their
// content. They are read anyway, so judging them costs no request.
type seenObjects struct {
	mu      sync.Mutex
	objects map[string]seenObject
	// terminating is whether the namespace was being deleted when that was last asked, and asked is
	// whether it was asked at all.
	terminating, asked bool
}

// seenObject is one object as it was last seen; the zero value if it is not there.
type seenObject struct {
	revision            store.Revision
	deleting, immutable bool
	owners              []string
}

// note records what the API server has answered about an object.
func (s *seenObjects) note(kind string, o kube.Object) {
	seen := seenObject{revision: store.Revision(o.GetResourceVersion()), deleting: o.GetDeletionTimestamp() != nil}
	for _, owner := range o.GetOwnerReferences() {
		seen.owners = append(seen.owners, owner.Kind+"/"+owner.Name)
	}
	if secret, ok := o.(*corev1.Secret); ok {
		seen.immutable = secret.Immutable != nil && *secret.Immutable
	}
	s.set(kind, o.GetName(), seen)
}

// gone records that there is no such object.
func (s *seenObjects) gone(kind, name string) { s.set(kind, name, seenObject{}) }

func (s *seenObjects) set(kind, name string, seen seenObject) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects == nil {
		s.objects = map[string]seenObject{}
	}
	s.objects[kind+"/"+name] = seen
}

func (s *seenObjects) get(kind, name string) (seenObject, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, ok := s.objects[kind+"/"+name]
	return seen, ok
}

func (s *seenObjects) setTerminating(terminating bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.terminating, s.asked = terminating, true
}

func (s *seenObjects) isTerminating() (terminating, asked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.terminating, s.asked
}

// The kinds of our objects.
const (
	secretKind = "Secret"
	leaseKind  = "Lease"
)

// recordObject is one of our three objects.
type recordObject struct{ kind, resource, name string }

func (s site) objects() []recordObject {
	return []recordObject{
		{secretKind, "secrets", s.keysName()}, {secretKind, "secrets", s.stateName()}, {leaseKind, "leases", s.name},
	}
}

// Concerns judges what was last seen of the objects and the namespace, and asks about those that
// this process has not seen yet. An object that we may not read is not judged: not everybody who
// reads the checkpoint may read the keys.
func (s site) Concerns(ctx context.Context) ([]store.Concern, error) {
	var concerns []store.Concern
	terminating, asked := s.seen.isTerminating()
	if !asked {
		if err := s.askNamespace(ctx); err != nil {
			return nil, err
		}
		terminating, _ = s.seen.isTerminating()
	}
	if terminating {
		concerns = append(concerns, s.namespaceConcern())
	}
	for _, object := range s.objects() {
		seen, err := s.lastSeen(ctx, object)
		if err != nil {
			return nil, err
		}
		concerns = append(concerns, s.judge(object, seen)...)
	}
	return concerns, nil
}

// lastSeen returns an object as it was last seen, and reads it if it was not seen yet.
func (s site) lastSeen(ctx context.Context, object recordObject) (seenObject, error) {
	if seen, ok := s.seen.get(object.kind, object.name); ok {
		return seen, nil
	}
	var o kube.Object = &corev1.Secret{}
	at := s.in.Secrets()
	if object.kind == leaseKind {
		o, at = &coordinationv1.Lease{}, s.in.Leases()
	}
	err := at.Get(ctx, object.name, o)
	switch {
	case err == nil:
		s.seen.note(object.kind, o)
	case apierrors.IsNotFound(err):
		s.seen.gone(object.kind, object.name)
	case kube.DeniedByRBAC(err):
		return seenObject{}, nil
	default:
		return seenObject{}, s.explain(kube.Access{Verb: "get", Resource: object.resource, Name: object.name}, err)
	}
	seen, _ := s.seen.get(object.kind, object.name)
	return seen, nil
}

// judge returns what endangers one object.
func (s site) judge(object recordObject, seen seenObject) []store.Concern {
	var concerns []store.Concern
	name := s.in.Describe(object.kind, object.name)
	if seen.deleting {
		concerns = append(concerns, store.Concern{
			Name: store.RecordBeingDeleted, Record: name,
			Message: name + " is being deleted: it will be gone when its last finalizer is removed",
			Remedy:  s.copyRemedy() + " Then find out what deletes it, and stop that. A deletion cannot be undone: docs/runbook.md says how to restore the copy.",
		})
	}
	if len(seen.owners) > 0 && object.kind == secretKind {
		concerns = append(concerns, store.Concern{
			Name: store.RecordOwned, Record: name,
			Message: fmt.Sprintf("%s is owned by %s: it is deleted together with it, and at once if that does not exist", name, strings.Join(seen.owners, ", ")),
			Remedy:  s.copyRemedy() + fmt.Sprintf(" Then remove the owner: kubectl -n %s patch secret %s --type=merge -p '{\"metadata\":{\"ownerReferences\":null}}'. If it comes back, stop what sets it.", s.in.Name, object.name),
		})
	}
	if seen.immutable {
		concerns = append(concerns, s.immutable(object.name))
	}
	return concerns
}

// immutable is the concern of a Secret that can only be read.
func (s site) immutable(name string) store.Concern {
	return store.Concern{
		Name: store.RecordImmutable, Record: s.in.Describe(secretKind, name),
		Message: s.in.Describe(secretKind, name) + " is immutable",
		Remedy: fmt.Sprintf("Replace it with the same content, without 'immutable', while nothing else runs: kubectl -n %[1]s get secret %[2]s -o json > %[2]s.json; "+
			"jq 'del(.immutable, .metadata.uid, .metadata.resourceVersion, .metadata.creationTimestamp)' %[2]s.json | kubectl -n %[1]s replace --force -f -. "+
			"Keep the file as safe as the keys, and delete it afterwards.", s.in.Name, name),
	}
}

func (s site) namespaceConcern() store.Concern {
	return store.Concern{
		Name:    store.NamespaceBeingDeleted,
		Message: fmt.Sprintf("the namespace %q is being deleted, and everything in it", s.in.Name),
		Remedy:  s.copyRemedy() + " The deletion of a namespace cannot be undone: restore the keys record from the copy in another namespace, and set --namespace to it.",
	}
}

// copyRemedy says how to save the keys while they still exist.
func (s site) copyRemedy() string {
	return fmt.Sprintf("If it holds keys, copy the keys record now: kubectl -n %s get secret %s -o yaml > FILE. Keep it as safe as the keys.", s.in.Name, s.keysName())
}

// writable refuses to write what is known to be immutable at this revision.
func (s site) writable(name string, revision store.Revision) error {
	seen, ok := s.seen.get(secretKind, name)
	if ok && seen.immutable && seen.revision == revision {
		return s.immutable(name).Fault()
	}
	return nil
}

// askNamespace records whether the namespace is being deleted. Only creating an object is refused
// then, and ours may all exist: so it rehearses an Event, whose name is always new. See
// docs/decisions/0050.
func (s site) askNamespace(ctx context.Context) error {
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: s.in.Name, GenerateName: s.name + "-preflight-"},
		InvolvedObject: corev1.ObjectReference{Kind: leaseKind, APIVersion: "coordination.k8s.io/v1", Namespace: s.in.Name, Name: s.name},
		Reason:         "Preflight", Type: corev1.EventTypeNormal,
	}
	err := s.in.Events().Create(ctx, event, true)
	s.seen.setTerminating(kube.Terminating(err))
	switch {
	case err == nil, kube.Terminating(err), kube.Refused(err):
		// Without the permission to create Events it stays unknown, and a quota on them refuses it
		// for another reason. Neither matters for the records.
		return nil
	default:
		return s.explain(kube.Access{Verb: "create", Resource: "events"}, err)
	}
}

// nothingToLose refuses to begin if nothing is stored yet and what will be stored would be in
// danger. If there are keys, or an attempt whose answer may still arrive, others judge what can go
// on.
func (s site) nothingToLose(ctx context.Context, keys store.Keys) error {
	if keys.Set != nil || keys.Attempt != nil {
		return nil
	}
	concerns, err := s.Concerns(ctx)
	if err != nil {
		return err
	}
	return store.Refusal(concerns)
}

// stop returns the terminal error of a write that the API server will always refuse, and nil for
// any other.
func (s site) stop(name string, err error) error {
	switch {
	case kube.Immutable(err):
		return s.immutable(name).Fault()
	case kube.Terminating(err):
		s.seen.setTerminating(true)
		return s.namespaceConcern().Fault()
	case kube.TooLarge(err) && name == s.keysName():
		return fault.Stop(wire.RecordFull, fmt.Errorf("writing %s: %w", s.in.Describe(secretKind, name), err), s.fullRemedy())
	default:
		return nil
	}
}
