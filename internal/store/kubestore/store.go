// Package kubestore keeps the records in objects of Kubernetes: two Secrets and a Lease. It must
// not know what the records mean. What else it reads in the namespace, the Pods of earlier runs and
// objects that are not ours, is for callers that declare interfaces for it.
package kubestore

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/sealed"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// Store is a store.Store in Kubernetes objects: the Secrets NAME-keys and NAME-state and the Lease
// NAME. They have no owner, so that only a person deletes them.
type Store struct {
	secrets
	leases  leases
	pieces  *pieces
	ledgers *wire.Ledgers
	codec   *sealed.Codec
}

var _ store.Store = (*Store)(nil)

// New returns the store in namespace. It sends no request.
func New(config *rest.Config, namespace, name string) (*Store, error) {
	return open(config, namespace, name, Rules(name))
}

// NewWithoutKeys returns the store of a Vault whose keys are not ours: it needs fewer rules.
func NewWithoutKeys(config *rest.Config, namespace, name string) (*Store, error) {
	return open(config, namespace, name, RulesWithoutKeys(name))
}

func open(config *rest.Config, namespace, name string, rules []kube.Rule) (*Store, error) {
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
	in := kube.Namespace{Client: client, Name: namespace, Rules: rules}
	at, recent := site{in: in, name: name, seen: &seenObjects{}}, &recentObjects{}
	records := secrets{at, recent}
	return &Store{records, leases{at, recent, time.Now}, &pieces{secrets: records, book: &pieceBook{}}, &wire.Ledgers{}, sealed.New(name)}, nil
}

// Namespace returns the namespace of the records, for others that need its API.
func (k *Store) Namespace() kube.Namespace {
	return kube.Namespace{Client: k.in.Client, Name: k.in.Name}
}

// Location returns the kinds and names.
func (k *Store) Location() store.Location {
	return store.Location{
		Keys:       k.in.Describe("Secret", k.keysName()),
		Checkpoint: k.in.Describe("Secret", k.stateName()),
		Lease:      k.in.Describe("Lease", k.name),
	}
}

// Codec returns what encrypts the keys record and opens it.
func (k *Store) Codec() *sealed.Codec { return k.codec }

// Keys reads the keys record, and opens it.
func (k *Store) Keys(ctx context.Context) (store.Keys, store.Revision, error) {
	data, revision, err := k.read(ctx, k.keysName(), keysData)
	if err != nil || data == nil {
		return store.Keys{}, revision, err
	}
	keys, err := k.codec.Decode(ctx, data, k.keysObject())
	return keys, revision, err
}

// Outline reads the keys record without opening it.
func (k *Store) Outline(ctx context.Context) (store.Keys, store.Revision, error) {
	data, revision, err := k.read(ctx, k.keysName(), keysData)
	if err != nil || data == nil {
		return store.Keys{}, revision, err
	}
	keys, err := k.codec.Outline(data, k.keysObject())
	return keys, revision, err
}

// SaveKeys writes the keys record if it is still at revision.
func (k *Store) SaveKeys(ctx context.Context, keys store.Keys, revision store.Revision) (store.Revision, error) {
	data, fresh, err := k.codec.Encode(keys)
	if err != nil {
		return "", err
	}
	if fresh {
		point.Reach("record.encrypted")
	}
	revision, err = k.swap(ctx, write{name: k.keysName(), key: keysData, data: data, revision: revision})
	if err != nil || !fresh {
		return revision, err
	}
	point.Reach("record.stored")
	stored, _, err := k.read(ctx, k.keysName(), keysData)
	if err != nil {
		return "", err
	}
	return revision, k.codec.Confirm(stored, keys, k.keysObject())
}

// Rehearse has the API server do everything that SaveKeys does, except storing it.
func (k *Store) Rehearse(ctx context.Context, keys store.Keys, revision store.Revision) error {
	data, _, err := k.codec.Encode(keys)
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
			record.Packed, err = k.pieces.load(ctx, record.Pieces)
		}
		if errors.Is(err, errPieceMismatch) {
			if _, now, readErr := k.readRecord(ctx); readErr == nil && now != revision {
				continue // it was written meanwhile
			}
			err = wire.Corrupt(k.stateObject(), err)
		}
		if err != nil {
			return store.Checkpoint{}, "", err
		}
		k.pieces.book.inForce(revision, record.Pieces)
		checkpoint, err := k.ledgers.Record(record, k.stateObject())
		return checkpoint, revision, err
	}
}

// SaveCheckpoint writes the checkpoint if it is still at revision, and mirrors it in the Secret's
// annotations.
func (k *Store) SaveCheckpoint(ctx context.Context, checkpoint store.Checkpoint, revision store.Revision) (store.Revision, error) {
	// Before the pieces of the ledger, which are written first.
	if err := k.writable(k.stateName(), revision); err != nil {
		return "", err
	}
	record, err := k.ledgers.NewCheckpoint(checkpoint)
	if err == nil && len(record.Packed) > pieceLimit {
		record.Pieces, err = k.pieces.save(ctx, record.Packed, revision)
		record.Packed = nil
	}
	if err != nil {
		return "", err
	}
	data, err := wire.Encode(record)
	if err != nil {
		return "", err
	}
	left, err := k.pieces.obsolete(ctx, record.Pieces, revision)
	if err != nil {
		return "", err
	}
	mirror := store.Mirror{State: checkpoint.State, Since: checkpoint.Since, SeedDigest: checkpoint.SeedDigest}
	stored, err := k.swap(ctx, write{name: k.stateName(), key: stateData, data: data, revision: revision, mark: func(meta *metav1.ObjectMeta) { mark(mirror, meta) }})
	if err != nil {
		return "", err
	}
	k.pieces.book.inForce(stored, record.Pieces)
	k.pieces.drop(ctx, left)
	return stored, nil
}

// CheckpointName returns the name of the Secret with the checkpoint.
func (k *Store) CheckpointName() string { return k.stateName() }

// Acquire waits for the Lease until ctx ends.
func (k *Store) Acquire(ctx context.Context, options store.LeaseOptions) (store.Held, error) {
	return k.leases.acquire(ctx, options)
}

// Lead waits for a separate Lease, NAME-watch.
func (k *Store) Lead(ctx context.Context, options store.LeaseOptions) (store.Held, error) {
	lead := k.leases
	lead.name += store.LeadSuffix
	return lead.acquire(ctx, options)
}

// LeaseMirror reads the mirror on the Lease.
func (k *Store) LeaseMirror(ctx context.Context) (store.Mirror, error) { return k.leases.mirror(ctx) }
