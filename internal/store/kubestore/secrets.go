package kubestore

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// secrets reads and writes the Secrets of the records.
type secrets struct {
	site
	// recent is what a session starts from.
	recent *recentObjects
}

// readRecord reads the checkpoint as it is stored; its version is 0 if there is none.
func (s secrets) readRecord(ctx context.Context) (wire.Checkpoint, store.Revision, error) {
	var record wire.Checkpoint
	data, revision, err := s.read(ctx, s.stateName(), stateData)
	if err != nil || data == nil {
		return record, revision, err
	}
	return record, revision, wire.Decode(data, &record, s.stateObject())
}

// read returns the data under key in a Secret: nil if there is none, and the empty Revision if
// there is no Secret.
func (s secrets) read(ctx context.Context, name, key string) ([]byte, store.Revision, error) {
	var secret corev1.Secret
	err := s.in.Secrets().Get(ctx, name, &secret)
	if apierrors.IsNotFound(err) {
		s.seen.gone(secretKind, name)
		return nil, "", nil
	}
	if err != nil {
		return nil, "", s.explain(kube.Access{Verb: "get", Resource: "secrets", Name: name}, err)
	}
	s.seen.note(secretKind, &secret)
	s.recent.note(name, secret.Data[key], store.Revision(secret.ResourceVersion))
	data, ok := secret.Data[key]
	if ok && data == nil {
		data = []byte{} // there, and empty: corrupt, not absent
	}
	return data, store.Revision(secret.ResourceVersion), nil
}

// write is one write to a Secret of ours: data under key, if the Secret is still at revision. mark,
// if not nil, changes its labels and annotations. A rehearsal stores nothing.
type write struct {
	name, key string
	data      []byte
	revision  store.Revision
	mark      func(*metav1.ObjectMeta)
	rehearse  bool
}

// swap performs a write. What others keep in the same Secret stays. If the Secret exists, it is one
// request, with the revision as a precondition.
func (s secrets) swap(ctx context.Context, w write) (store.Revision, error) {
	if w.revision == "" {
		secret, err := s.fresh(ctx, w)
		if err != nil {
			return "", err
		}
		// A Secret that a rehearsal would have created has no revision, and that was the rehearsal.
		if w.revision = store.Revision(secret.ResourceVersion); w.revision == "" {
			return "", nil
		}
	}
	if err := s.writable(w.name, w.revision); err != nil {
		return "", err
	}
	stored := &corev1.Secret{}
	if err := s.in.Secrets().Merge(ctx, w.name, w.patch(), stored, w.rehearse); err != nil {
		return "", s.explainSwap(w.name, err)
	}
	if !w.rehearse {
		s.seen.note(secretKind, stored)
		s.recent.note(w.name, w.data, store.Revision(stored.ResourceVersion))
	}
	return store.Revision(stored.ResourceVersion), nil
}

// patch is the write as a JSON merge patch.
func (w write) patch() map[string]any {
	meta := metav1.ObjectMeta{Labels: labels()}
	if w.mark != nil {
		w.mark(&meta)
	}
	metadata := map[string]any{"resourceVersion": string(w.revision), "labels": meta.Labels}
	if meta.Annotations != nil { // null would remove those of others
		metadata["annotations"] = meta.Annotations
	}
	return map[string]any{"metadata": metadata, "data": map[string][]byte{w.key: w.data}}
}

// explainSwap explains why the API server refused a write.
func (s secrets) explainSwap(name string, err error) error {
	if apierrors.IsNotFound(err) {
		return s.conflict(name, "it was removed")
	}
	if named := s.stop(name, err); named != nil {
		return named
	}
	return s.explain(kube.Access{Verb: "patch", Resource: "secrets", Name: name}, err)
}

// fresh returns the Secret for a first write, without data of ours, and creates it if it does not
// exist. If several processes do so at once, only one of the writes that follow succeeds. A
// rehearsal creates it with its data, and stores neither.
func (s secrets) fresh(ctx context.Context, w write) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := s.in.Secrets().Get(ctx, w.name, secret)
	if apierrors.IsNotFound(err) {
		empty := s.emptySecret(w.name)
		if w.rehearse {
			empty.Data = map[string][]byte{w.key: w.data}
		}
		secret = &corev1.Secret{}
		if err := s.in.Secrets().Apply(ctx, empty, secret, w.rehearse); err != nil {
			return nil, s.explainSwap(w.name, err)
		}
		if w.rehearse {
			return secret, nil
		}
	} else if err != nil {
		return nil, s.explain(kube.Access{Verb: "get", Resource: "secrets", Name: w.name}, err)
	}
	if _, written := secret.Data[w.key]; written {
		return nil, s.conflict(w.name, "it was written meanwhile")
	}
	return secret, nil
}

func (s site) conflict(name, why string) error {
	return fmt.Errorf("writing %s: %w: %s", s.in.Describe("Secret", name), store.ErrConflict, why)
}
