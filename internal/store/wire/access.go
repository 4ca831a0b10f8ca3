package wire

import (
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

type wireRootGrant struct {
	ID          string    `json:"id"`
	Holder      string    `json:"holder"`
	Reason      string    `json:"reason"`
	Started     time.Time `json:"started"`
	Public      string    `json:"public_key"`
	Private     string    `json:"private_key"`
	Fingerprint string    `json:"fingerprint"`
	Finishing   time.Time `json:"finishing,omitzero"`
	Token       string    `json:"token,omitempty"`
	Accessor    string    `json:"accessor,omitempty"`
}

type wireRotation struct {
	ID           string      `json:"id"`
	Holder       string      `json:"holder"`
	Started      time.Time   `json:"started"`
	Public       string      `json:"public_key,omitempty"`
	Private      string      `json:"private_key,omitempty"`
	Fingerprints []string    `json:"fingerprints"`
	Nonce        string      `json:"nonce,omitempty"`
	Set          *wireKeySet `json:"set,omitempty"`

	Rivals []wireKeySet `json:"rivals,omitempty"`
}

func (e *revealer) rootGrant(g store.RootGrant) wireRootGrant {
	return wireRootGrant{
		ID: g.ID, Holder: g.Holder, Reason: g.Reason, Started: UTC(g.Started), Public: g.PublicKey, Private: e.text(g.PrivateKey),
		Fingerprint: g.Fingerprint, Finishing: UTC(g.Finishing), Token: e.text(g.Token), Accessor: g.Accessor,
	}
}

func fromWireRootGrant(g wireRootGrant) store.RootGrant {
	return store.RootGrant{
		ID: g.ID, Holder: g.Holder, Reason: g.Reason, Started: UTC(g.Started), PublicKey: g.Public, PrivateKey: secret.New(g.Private),
		Fingerprint: g.Fingerprint, Finishing: UTC(g.Finishing), Token: secret.New(g.Token), Accessor: g.Accessor,
	}
}

func (e *revealer) rotation(r store.Rotation) wireRotation {
	return wireRotation{
		ID: r.ID, Holder: r.Holder, Started: UTC(r.Started), Public: r.PublicKey, Private: e.text(r.PrivateKey),
		Fingerprints: r.Fingerprints, Nonce: r.Nonce, Set: maybe(r.Set, e.keySet), Rivals: each(r.Rivals, e.keySet),
	}
}

func fromWireRotation(r wireRotation) store.Rotation {
	return store.Rotation{
		ID: r.ID, Holder: r.Holder, Started: UTC(r.Started), PublicKey: r.Public, PrivateKey: secret.New(r.Private),
		Fingerprints: r.Fingerprints, Nonce: r.Nonce, Set: maybe(r.Set, fromWireKeySet), Rivals: each(r.Rivals, fromWireKeySet),
	}
}
