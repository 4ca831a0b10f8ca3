package store

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
)

// The data keys of the records in their Secrets.
const (
	keysData  = "keys.json"
	stateData = "state.json"
)

// Kube is a Store in Kubernetes objects: the Secrets NAME-keys and NAME-state and
// the Lease NAME. They have no owner, so that nothing but a person deletes them.
type Kube struct {
	in   kube.Namespace
	name string
	now  func() time.Time
	seen *seenObjects
	// recent is what a session begins from.
	recent *recentObjects
	// pieces is what is known of the Secrets with pieces of the ledger.
	pieces *pieceBook
}

var _ Store = (*Kube)(nil)

// NewKube returns the store in namespace. It sends no request.
func NewKube(config *rest.Config, namespace, name string) (*Kube, error) {
	if err := CheckName(name); err != nil {
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
	return &Kube{in: in, name: name, now: time.Now, seen: &seenObjects{}, recent: &recentObjects{}, pieces: &pieceBook{}}, nil
}

// Namespace is where the records are, for others that need its API.
func (k *Kube) Namespace() kube.Namespace {
	return kube.Namespace{Client: k.in.Client, Name: k.in.Name}
}

func (k *Kube) keysName() string  { return k.name + "-keys" }
func (k *Kube) stateName() string { return k.name + "-state" }

// Location returns the kinds and names.
func (k *Kube) Location() Location {
	return Location{
		Keys:       k.in.Describe("Secret", k.keysName()),
		Checkpoint: k.in.Describe("Secret", k.stateName()),
		Lease:      k.in.Describe("Lease", k.name),
	}
}

func (k *Kube) keysObject() object {
	return object{
		name: k.in.Describe("Secret", k.keysName()) + " (" + keysData + ")",
		// Not apply: it would copy the keys into an annotation.
		restore: "kubectl -n " + k.in.Name + " replace -f BACKUP",
	}
}

func (k *Kube) stateObject() object {
	return object{
		name:    k.in.Describe("Secret", k.stateName()) + " (" + stateData + ")",
		restore: "kubectl -n " + k.in.Name + " replace -f BACKUP",
		rebuilt: fmt.Sprintf("Without a copy, save it and remove it (kubectl -n %s delete secret %s) and run again: "+
			"the state is found anew from Vault, what is forgotten is which objects of the seed were created by us.",
			k.in.Name, k.stateName()),
	}
}

// Keys reads the keys record.
func (k *Kube) Keys(ctx context.Context) (Keys, Revision, error) {
	data, revision, err := k.read(ctx, k.keysName(), keysData)
	if err != nil || data == nil {
		return Keys{}, revision, err
	}
	keys, err := decodeKeys(data, k.keysObject())
	return keys, revision, err
}

// SaveKeys writes the keys record if it still is at revision.
func (k *Kube) SaveKeys(ctx context.Context, keys Keys, revision Revision) (Revision, error) {
	data, err := encodeKeys(keys)
	if err != nil {
		return "", err
	}
	return k.swap(ctx, write{name: k.keysName(), key: keysData, data: data, revision: revision})
}

// Rehearse has the API server do all of SaveKeys but storing it.
func (k *Kube) Rehearse(ctx context.Context, keys Keys, revision Revision) error {
	data, err := encodeKeys(keys)
	if err != nil {
		return err
	}
	if err := checkSize(keys, data, k.keysObject(), k.fullRemedy()); err != nil {
		return err
	}
	_, err = k.swap(ctx, write{name: k.keysName(), key: keysData, data: data, revision: revision, rehearse: true})
	if err != nil {
		return fmt.Errorf("rehearsing the write of the keys record: %w", err)
	}
	return nil
}

// Checkpoint reads the checkpoint.
func (k *Kube) Checkpoint(ctx context.Context) (Checkpoint, Revision, error) {
	for {
		wire, revision, err := k.readRecord(ctx)
		if err != nil || revision == "" || wire.Version == 0 {
			return Checkpoint{}, revision, err
		}
		if wire.Pieces != nil {
			wire.Packed, err = k.loadPieces(ctx, wire.Pieces)
		}
		if errors.Is(err, errPieces) {
			if _, now, readErr := k.readRecord(ctx); readErr == nil && now != revision {
				continue // it was written meanwhile
			}
			err = corrupt(k.stateObject(), err)
		}
		if err != nil {
			return Checkpoint{}, "", err
		}
		k.pieces.inForce(revision, wire.Pieces)
		checkpoint, err := wire.checkpoint(k.stateObject())
		return checkpoint, revision, err
	}
}

// readRecord reads the checkpoint as it is stored; its version is 0 if there is none.
func (k *Kube) readRecord(ctx context.Context) (wireCheckpoint, Revision, error) {
	var wire wireCheckpoint
	data, revision, err := k.read(ctx, k.stateName(), stateData)
	if err != nil || data == nil {
		return wire, revision, err
	}
	return wire, revision, decode(data, &wire, k.stateObject())
}

// SaveCheckpoint writes the checkpoint if it still is at revision, and shows what
// the Lease shows in the Secret's annotations.
func (k *Kube) SaveCheckpoint(ctx context.Context, checkpoint Checkpoint, revision Revision) (Revision, error) {
	// Before the pieces of its ledger, which are written first.
	if err := k.writable(k.stateName(), revision); err != nil {
		return "", err
	}
	wire, err := wireOf(checkpoint)
	if err == nil && len(wire.Packed) > pieceLimit {
		wire.Pieces, err = k.savePieces(ctx, wire.Packed, revision)
		wire.Packed = nil
	}
	if err != nil {
		return "", err
	}
	data, err := encode(wire)
	if err != nil {
		return "", err
	}
	left, err := k.leftPieces(ctx, wire.Pieces, revision)
	if err != nil {
		return "", err
	}
	mirror := Mirror{State: checkpoint.State, Since: checkpoint.Since, SeedDigest: checkpoint.SeedDigest}
	stored, err := k.swap(ctx, write{name: k.stateName(), key: stateData, data: data, revision: revision, mark: func(meta *metav1.ObjectMeta) { mark(mirror, meta) }})
	if err != nil {
		return "", err
	}
	k.pieces.inForce(stored, wire.Pieces)
	k.dropPieces(ctx, left)
	return stored, nil
}

// read returns what is under key in a Secret: nil if it has none, and the empty
// Revision if there is no Secret.
func (k *Kube) read(ctx context.Context, name, key string) ([]byte, Revision, error) {
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
	k.recent.note(name, secret.Data[key], Revision(secret.ResourceVersion))
	data, ok := secret.Data[key]
	if ok && data == nil {
		data = []byte{} // there, and empty: corrupt, not absent
	}
	return data, Revision(secret.ResourceVersion), nil
}

// emptySecret is what is applied to make a Secret: an object without data, so
// that applying it to one that exists takes nothing away.
func (k *Kube) emptySecret(name string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: k.meta(name),
		Type:       corev1.SecretTypeOpaque,
	}
}

func (k *Kube) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: k.in.Name, Name: name, Labels: labels()}
}

func labels() map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":       "vault-bootstrap",
		"app.kubernetes.io/managed-by": "vault-bootstrap",
	}
}

// CheckpointName is the name of the Secret with the checkpoint.
func (k *Kube) CheckpointName() string { return k.stateName() }

func (k *Kube) fullRemedy() string {
	return fullRemedy(fmt.Sprintf("kubectl -n %s get secret %s -o yaml > FILE", k.in.Name, k.keysName()),
		fmt.Sprintf("kubectl -n %s delete secret %s", k.in.Name, k.keysName()))
}
