package kubestore

import (
	"context"
	"maps"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// pieceBook is what this process knows about the Secrets with pieces of the ledger.
type pieceBook struct {
	mu sync.Mutex
	// revision is the revision of the record that was last read or written, and named are the
	// pieces that it names.
	revision store.Revision
	named    *wire.Pieces
	// full are the Secrets that hold a piece, in force or not, at their revisions.
	full map[string]store.Revision
	// searched is whether they include those of earlier processes.
	searched bool
}

func (b *pieceBook) inForce(revision store.Revision, pieces *wire.Pieces) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.revision, b.named = revision, pieces
}

func (b *pieceBook) at(revision store.Revision) (*wire.Pieces, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if revision == "" || b.revision != revision {
		return nil, false
	}
	return b.named, true
}

func (b *pieceBook) filled(name string, revision store.Revision) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full == nil {
		b.full = map[string]store.Revision{}
	}
	b.full[name] = revision
}

func (b *pieceBook) emptied(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.full, name)
}

// known returns the Secrets that hold a piece, and whether all of them are known.
func (b *pieceBook) known() (map[string]store.Revision, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.full), b.searched
}

// obsolete returns the Secrets with pieces that neither the record at revision nor the one that is
// about to be written names; if the latter names none, all of them. A write that changes the pieces
// leaves the other slot to the next write, which may fill it again. They are looked up before the
// record is written: whoever fills one of them for a later record does so at a later revision.
func (p *pieces) obsolete(ctx context.Context, next *wire.Pieces, revision store.Revision) (map[string]store.Revision, error) {
	before, _ := p.book.at(revision)
	full, searched := p.book.known()
	switch {
	case next == nil && before == nil && len(full) == 0:
		return nil, nil // there never were pieces, as far as we know
	case next != nil && (before == nil || before.Digest != next.Digest):
		return nil, nil
	}
	if !searched {
		if err := p.search(ctx); err != nil {
			return nil, err
		}
		full, _ = p.book.known()
	}
	if next != nil {
		for i := range next.Count {
			delete(full, p.pieceName(next.Slot, i+1))
		}
	}
	return full, nil
}

// search looks for pieces that earlier processes have left, in both slots. What we may not read, we
// may not remove either.
func (p *pieces) search(ctx context.Context) error {
	for _, slot := range []string{"a", "b"} {
		for i := range maxPieces {
			name := p.pieceName(slot, i+1)
			secret := &corev1.Secret{}
			err := p.in.Secrets().Get(ctx, name, secret)
			if apierrors.IsNotFound(err) || kube.DeniedByRBAC(err) {
				break
			}
			if err != nil {
				return p.explain(kube.Access{Verb: "get", Resource: "secrets", Name: name}, err)
			}
			if len(secret.Data[pieceData]) > 0 {
				p.book.filled(name, store.Revision(secret.ResourceVersion))
			}
		}
	}
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	p.book.searched = true
	return nil
}

// drop empties Secrets that hold obsolete pieces, and deletes them if our Role allows it, which the
// shipped one does not. One that has changed since it was looked up belongs to somebody else by now
// and stays.
func (p *pieces) drop(ctx context.Context, left map[string]store.Revision) {
	for name, revision := range left {
		patch := map[string]any{"metadata": map[string]any{"resourceVersion": string(revision)}, "data": nil}
		stored := &corev1.Secret{}
		err := p.in.Secrets().Merge(ctx, name, patch, stored, false)
		if err == nil {
			err = p.in.Secrets().Delete(ctx, name, stored.UID)
		}
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) || kube.DeniedByRBAC(err) {
			p.book.emptied(name)
			continue
		}
		// The record is written, and that is what counts: a later write tries again.
		return
	}
}
