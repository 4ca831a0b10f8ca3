package kubestore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// A Secret holds 1 MiB, base64 and everything else included. A packed ledger larger than pieceLimit
// goes into separate Secrets: first the pieces, then the record that names them, by
// compare-and-swap. A crash in between leaves the old record with its old pieces.
const (
	pieceLimit = 700 << 10
	maxPieces  = 8
	pieceData  = "piece"
)

// pieces keeps a packed ledger in separate Secrets.
type pieces struct {
	secrets
	book *pieceBook
}

func (p *pieces) pieceName(slot string, i int) string {
	return fmt.Sprintf("%s-state-%s%d", p.name, slot, i)
}

// save writes packed into the slot that the record in force does not use.
func (p *pieces) save(ctx context.Context, packed []byte, revision store.Revision) (*wire.Pieces, error) {
	count := (len(packed) + pieceLimit - 1) / pieceLimit
	if count > maxPieces {
		return nil, fault.Misuse(fmt.Errorf("the ledger of the seed is %d KiB compressed, and at most %d are kept", len(packed)>>10, maxPieces*pieceLimit>>10),
			"Divide the seed between installations with different --name.")
	}
	before, err := p.namedAt(ctx, revision)
	if err != nil {
		return nil, err
	}
	pieces := &wire.Pieces{Slot: "a", Count: count, Digest: wire.Digest(packed)}
	if before != nil && before.Digest == pieces.Digest {
		return before, nil // only the rest of the record changes
	}
	if before != nil && before.Slot == "a" {
		pieces.Slot = "b"
	}
	for i := range count {
		piece := packed[i*pieceLimit : min((i+1)*pieceLimit, len(packed))]
		if err := p.saveOne(ctx, p.pieceName(pieces.Slot, i+1), piece); err != nil {
			return nil, p.explainPiece(err, pieces)
		}
	}
	return pieces, nil
}

// namedAt returns the pieces that the record names, nil if it names none: those of the record at
// revision if we have seen it, otherwise those of the current record.
func (p *pieces) namedAt(ctx context.Context, revision store.Revision) (*wire.Pieces, error) {
	if pieces, known := p.book.at(revision); known {
		return pieces, nil
	}
	record, _, err := p.readRecord(ctx)
	return record.Pieces, err
}

func (p *pieces) saveOne(ctx context.Context, name string, piece []byte) error {
	secret := &corev1.Secret{}
	if err := p.in.Secrets().Apply(ctx, p.emptySecret(name), secret, false); err != nil {
		return err
	}
	secret.Data = map[string][]byte{pieceData: piece}
	stored := &corev1.Secret{}
	if err := p.in.Secrets().Update(ctx, secret, stored); err != nil {
		return err
	}
	p.book.filled(name, store.Revision(stored.ResourceVersion))
	return nil
}

// load returns what save has written. If a writer was quicker, the digest does not match, and the
// record has to be read again.
func (p *pieces) load(ctx context.Context, pieces *wire.Pieces) ([]byte, error) {
	var packed []byte
	for i := range pieces.Count {
		secret := &corev1.Secret{}
		err := p.in.Secrets().Get(ctx, p.pieceName(pieces.Slot, i+1), secret)
		if apierrors.IsNotFound(err) {
			return nil, errPieceMismatch
		}
		if err != nil {
			return nil, p.explainPiece(err, pieces)
		}
		p.book.filled(p.pieceName(pieces.Slot, i+1), store.Revision(secret.ResourceVersion))
		packed = append(packed, secret.Data[pieceData]...)
	}
	if wire.Digest(packed) != pieces.Digest {
		return nil, errPieceMismatch
	}
	return packed, nil
}

// errPieceMismatch means that the pieces are not the ones that the record names.
var errPieceMismatch = errors.New("a piece of the ledger is missing or belongs to another record")

// explainPiece adds the rules that pieces need, if they are missing.
func (p *pieces) explainPiece(err error, pieces *wire.Pieces) error {
	name := p.pieceName(pieces.Slot, 1)
	if !kube.DeniedByRBAC(err) {
		return p.explain(kube.Access{Verb: "update", Resource: "secrets", Name: name}, err)
	}
	var rules strings.Builder
	for _, slot := range []string{"a", "b"} {
		for i := range pieces.Count {
			rule := kube.Rule{Resource: "secrets", Name: p.pieceName(slot, i+1), Verbs: []string{"get", "create", "patch", "update"}}
			rules.WriteString(rule.YAML())
		}
	}
	return fault.Misuse(fmt.Errorf("keeping the ledger of a large seed in separate Secrets: %w", err),
		fmt.Sprintf("Add to the rules of a Role in the namespace %q that is bound to our service account:\n%s", p.in.Name, strings.TrimSuffix(rules.String(), "\n")))
}
