// Package kubestore keeps the records in objects of Kubernetes: two Secrets and a Lease.
// It must not know what the records say. What else it reads of the namespace, the Pods of
// earlier runs and objects that are not ours, is for those who ask for it by interfaces
// of their own.
package kubestore

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// The data keys of the records in their Secrets.
const (
	keysData  = "keys.json"
	stateData = "state.json"
)

// Store is a store.Store in Kubernetes objects: the Secrets NAME-keys and NAME-state and
// the Lease NAME. They have no owner, so that nothing but a person deletes them.
type Store struct {
	in   kube.Namespace
	name string
	now  func() time.Time
	seen *seenObjects
	// recent is what a session begins from.
	recent *recentObjects
	// pieces is what is known of the Secrets with pieces of the ledger.
	pieces *pieceBook
}

var _ store.Store = (*Store)(nil)

// New returns the store in namespace. It sends no request.
func New(config *rest.Config, namespace, name string) (*Store, error) {
	if err := store.CheckName(name); err != nil {
		return nil, err
	}
	if namespace == "" {
		return nil, fault.Misuse(errors.New("the store in Kubernetes has no namespace"), "Name one: --namespace.")
	}
	client, err := kube.New(config)
	if err != nil {
		return nil, fault.Misuse(err, "Check the kubeconfig, or the service account's token and CA in the Pod.")
	}
	in := kube.Namespace{Client: client, Name: namespace, Rules: Rules(name)}
	return &Store{in: in, name: name, now: time.Now, seen: &seenObjects{}, recent: &recentObjects{}, pieces: &pieceBook{}}, nil
}

// Namespace is where the records are, for others that need its API.
func (k *Store) Namespace() kube.Namespace {
	return kube.Namespace{Client: k.in.Client, Name: k.in.Name}
}

func (k *Store) keysName() string  { return k.name + "-keys" }
func (k *Store) stateName() string { return k.name + "-state" }

// Location returns the kinds and names.
func (k *Store) Location() store.Location {
	return store.Location{
		Keys:       k.in.Describe("Secret", k.keysName()),
		Checkpoint: k.in.Describe("Secret", k.stateName()),
		Lease:      k.in.Describe("Lease", k.name),
	}
}

func (k *Store) keysObject() wire.Object {
	return wire.Object{
		Name: k.in.Describe("Secret", k.keysName()) + " (" + keysData + ")",
		// Not apply: it would copy the keys into an annotation.
		Restore: "kubectl -n " + k.in.Name + " replace -f BACKUP",
	}
}

func (k *Store) stateObject() wire.Object {
	return wire.Object{
		Name:    k.in.Describe("Secret", k.stateName()) + " (" + stateData + ")",
		Restore: "kubectl -n " + k.in.Name + " replace -f BACKUP",
		Rebuilt: fmt.Sprintf("Without a copy, save it and remove it (kubectl -n %s delete secret %s) and run again: "+
			"the state is found anew from Vault, what is forgotten is which objects of the seed were created by us.",
			k.in.Name, k.stateName()),
	}
}

// Keys reads the keys record.
func (k *Store) Keys(ctx context.Context) (store.Keys, store.Revision, error) {
	data, revision, err := k.read(ctx, k.keysName(), keysData)
	if err != nil || data == nil {
		return store.Keys{}, revision, err
	}
	keys, err := wire.DecodeKeys(data, k.keysObject())
	return keys, revision, err
}

// SaveKeys writes the keys record if it still is at revision.
func (k *Store) SaveKeys(ctx context.Context, keys store.Keys, revision store.Revision) (store.Revision, error) {
	data, err := wire.EncodeKeys(keys)
	if err != nil {
		return "", err
	}
	return k.swap(ctx, write{name: k.keysName(), key: keysData, data: data, revision: revision})
}

// Rehearse has the API server do all of SaveKeys but storing it.
func (k *Store) Rehearse(ctx context.Context, keys store.Keys, revision store.Revision) error {
	data, err := wire.EncodeKeys(keys)
	if err != nil {
		return err
	}
	if err := wire.CheckSize(keys, data, k.keysObject(), k.fullRemedy()); err != nil {
		return err
	}
	_, err = k.swap(ctx, write{name: k.keysName(), key: keysData, data: data, revision: revision, rehearse: true})
	if err != nil {
		return fmt.Errorf("rehearsing the write of the keys record: %w", err)
	}
	return nil
}

// Checkpoint reads the checkpoint.
func (k *Store) Checkpoint(ctx context.Context) (store.Checkpoint, store.Revision, error) {
	for {
		record, revision, err := k.readRecord(ctx)
		if err != nil || revision == "" || record.Version == 0 {
			return store.Checkpoint{}, revision, err
		}
		if record.Pieces != nil {
			record.Packed, err = k.loadPieces(ctx, record.Pieces)
		}
		if errors.Is(err, errPieces) {
			if _, now, readErr := k.readRecord(ctx); readErr == nil && now != revision {
				continue // it was written meanwhile
			}
			err = wire.Corrupt(k.stateObject(), err)
		}
		if err != nil {
			return store.Checkpoint{}, "", err
		}
		k.pieces.inForce(revision, record.Pieces)
		checkpoint, err := record.Record(k.stateObject())
		return checkpoint, revision, err
	}
}

// readRecord reads the checkpoint as it is stored; its version is 0 if there is none.
func (k *Store) readRecord(ctx context.Context) (wire.Checkpoint, store.Revision, error) {
	var record wire.Checkpoint
	data, revision, err := k.read(ctx, k.stateName(), stateData)
	if err != nil || data == nil {
		return record, revision, err
	}
	return record, revision, wire.Decode(data, &record, k.stateObject())
}

// SaveCheckpoint writes the checkpoint if it still is at revision, and shows what
// the Lease shows in the Secret's annotations.
func (k *Store) SaveCheckpoint(ctx context.Context, checkpoint store.Checkpoint, revision store.Revision) (store.Revision, error) {
	// Before the pieces of its ledger, which are written first.
	if err := k.writable(k.stateName(), revision); err != nil {
		return "", err
	}
	record, err := wire.NewCheckpoint(checkpoint)
	if err == nil && len(record.Packed) > pieceLimit {
		record.Pieces, err = k.savePieces(ctx, record.Packed, revision)
		record.Packed = nil
	}
	if err != nil {
		return "", err
	}
	data, err := wire.Encode(record)
	if err != nil {
		return "", err
	}
	left, err := k.leftPieces(ctx, record.Pieces, revision)
	if err != nil {
		return "", err
	}
	mirror := store.Mirror{State: checkpoint.State, Since: checkpoint.Since, SeedDigest: checkpoint.SeedDigest}
	stored, err := k.swap(ctx, write{name: k.stateName(), key: stateData, data: data, revision: revision, mark: func(meta *metav1.ObjectMeta) { mark(mirror, meta) }})
	if err != nil {
		return "", err
	}
	k.pieces.inForce(stored, record.Pieces)
	k.dropPieces(ctx, left)
	return stored, nil
}

// read returns what is under key in a Secret: nil if it has none, and the empty
// Revision if there is no Secret.
func (k *Store) read(ctx context.Context, name, key string) ([]byte, store.Revision, error) {
	var secret corev1.Secret
	err := k.in.Secrets().Get(ctx, name, &secret)
	if apierrors.IsNotFound(err) {
		k.seen.gone(secretKind, name)
		return nil, "", nil
	}
	if err != nil {
		return nil, "", k.explain(kube.Access{Verb: "get", Resource: "secrets", Name: name}, err)
	}
	k.seen.note(secretKind, &secret)
	k.recent.note(name, secret.Data[key], store.Revision(secret.ResourceVersion))
	data, ok := secret.Data[key]
	if ok && data == nil {
		data = []byte{} // there, and empty: corrupt, not absent
	}
	return data, store.Revision(secret.ResourceVersion), nil
}

// emptySecret is what is applied to make a Secret: an object without data, so
// that applying it to one that exists takes nothing away.
func (k *Store) emptySecret(name string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: k.meta(name),
		Type:       corev1.SecretTypeOpaque,
	}
}

func (k *Store) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: k.in.Name, Name: name, Labels: labels()}
}

func labels() map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":       "vault-bootstrap",
		"app.kubernetes.io/managed-by": "vault-bootstrap",
	}
}

// CheckpointName is the name of the Secret with the checkpoint.
func (k *Store) CheckpointName() string { return k.stateName() }

func (k *Store) fullRemedy() string {
	return wire.FullRemedy(fmt.Sprintf("kubectl -n %s get secret %s -o yaml > FILE", k.in.Name, k.keysName()),
		fmt.Sprintf("kubectl -n %s delete secret %s", k.in.Name, k.keysName()))
}
