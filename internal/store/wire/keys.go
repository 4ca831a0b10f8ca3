package wire

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
)

// wireKeys is Keys as it is stored. It is a separate type because a secret.Value marshals as
// REDACTED and refuses to be decoded: only the conversions below turn secrets into text.
type wireKeys struct {
	Version int           `json:"version"`
	Epoch   int64         `json:"epoch"`
	Attempt *wireAttempt  `json:"attempt,omitempty"`
	Past    []wireAttempt `json:"past,omitempty"`
	Set     *wireKeySet   `json:"set,omitempty"`
	Root    *wireRoot     `json:"root,omitempty"`
	AppRole *wireAppRole  `json:"app_role,omitempty"`

	Ceremony *wireAppRole `json:"ceremony,omitempty"`

	HashKey string                `json:"hash_key,omitempty"`
	Old     map[string]wireKeySet `json:"old,omitempty"`

	RootGrant *wireRootGrant `json:"break_glass,omitempty"`
	Rotation  *wireRotation  `json:"rotation,omitempty"`
}

type wireAttempt struct {
	ID      string    `json:"id"`
	Holder  string    `json:"holder"`
	Epoch   int64     `json:"epoch"`
	Started time.Time `json:"started"`
	Status  string    `json:"status"`
	Target  string    `json:"target"`
	Pod     string    `json:"pod,omitempty"`
	Public  string    `json:"public_key,omitempty"`
	Private string    `json:"private_key,omitempty"`

	Emptied   *wireEmptied `json:"emptied,omitempty"`
	EmptiedAt time.Time    `json:"emptied_at,omitzero"`

	Answer *wireAnswer `json:"answer,omitempty"`

	Process string `json:"process,omitempty"`
	Grace   string `json:"grace,omitempty"` // as time.Duration writes it
}

type wireEmptied struct {
	Address  string `json:"address"`
	Pod      string `json:"pod"`
	PodUID   string `json:"pod_uid"`
	Claim    string `json:"claim,omitempty"`
	ClaimUID string `json:"claim_uid,omitempty"`
}

type wireAnswer struct {
	Shares []string `json:"shares"`
	Root   string   `json:"root"`

	Recovery  bool `json:"recovery,omitempty"`
	Threshold int  `json:"threshold,omitempty"`
	Custody   bool `json:"custody,omitempty"`
}

type wireCustody struct {
	Owner       string `json:"owner"`
	Fingerprint string `json:"fingerprint"`
	Message     string `json:"message"`
}

type wireKeySet struct {
	Kind      string    `json:"kind"`
	Shares    []string  `json:"shares"`
	Threshold int       `json:"threshold"`
	ClusterID string    `json:"cluster_id"`
	Created   time.Time `json:"created"`

	Custody []wireCustody `json:"custody,omitempty"`
	Attempt string        `json:"attempt,omitempty"`
}

type wireRoot struct {
	Token    string `json:"token"`
	Accessor string `json:"accessor"`
}

type wireAppRole struct {
	RoleID   string `json:"role_id"`
	SecretID string `json:"secret_id"`
}

func (e *revealer) appRole(a store.AppRole) wireAppRole {
	return wireAppRole{RoleID: a.RoleID, SecretID: e.text(a.SecretID)}
}

func fromWireAppRole(a wireAppRole) store.AppRole {
	return store.AppRole{RoleID: a.RoleID, SecretID: secret.New(a.SecretID)}
}

// EncodeKeys returns the stored form of keys, in clear: their Sealing is not part of it. It refuses
// a secret that is not UTF-8: JSON would replace its bytes, and the replacement opens nothing. It
// also refuses one that is withheld.
func EncodeKeys(keys store.Keys) ([]byte, error) { return encodeKeys(keys, &revealer{}) }

// EncodeOutline returns keys as EncodeKeys does, with Placeholder for every secret.
func EncodeOutline(keys store.Keys) ([]byte, error) {
	return encodeKeys(keys, &revealer{outline: true})
}

// Placeholder is written instead of a secret where only its existence may be known.
const Placeholder = "sealed"

func encodeKeys(keys store.Keys, e *revealer) ([]byte, error) {
	wire := wireKeys{
		Version: Version,
		Epoch:   keys.Epoch,
		Attempt: maybe(keys.Attempt, e.attempt),
		Past:    each(keys.Past, e.attempt),
		Set:     maybe(keys.Set, e.keySet),
		Root: maybe(keys.Root, func(r store.Root) wireRoot {
			return wireRoot{Token: e.text(r.Token), Accessor: r.Accessor}
		}),
		AppRole: maybe(keys.AppRole, e.appRole), Ceremony: maybe(keys.Ceremony, e.appRole),
		HashKey: e.text(keys.HashKey),

		RootGrant: maybe(keys.RootGrant, e.rootGrant), Rotation: maybe(keys.Rotation, e.rotation),
	}
	for date, set := range keys.Old {
		if wire.Old == nil {
			wire.Old = make(map[string]wireKeySet, len(keys.Old))
		}
		wire.Old[date] = e.keySet(set)
	}
	if e.err != nil {
		return nil, e.err
	}
	return Encode(wire)
}

// DecodeKeys is the inverse of EncodeKeys. o names the record in errors.
func DecodeKeys(data []byte, o Object) (store.Keys, error) {
	var wire wireKeys
	if err := Decode(data, &wire, o); err != nil {
		return store.Keys{}, err
	}
	keys := store.Keys{
		Epoch:   wire.Epoch,
		Attempt: maybe(wire.Attempt, fromWireAttempt),
		Past:    each(wire.Past, fromWireAttempt),
		Set:     maybe(wire.Set, fromWireKeySet),
		Root: maybe(wire.Root, func(r wireRoot) store.Root {
			return store.Root{Token: secret.New(r.Token), Accessor: r.Accessor}
		}),
		AppRole: maybe(wire.AppRole, fromWireAppRole), Ceremony: maybe(wire.Ceremony, fromWireAppRole),
		HashKey: secret.New(wire.HashKey),

		RootGrant: maybe(wire.RootGrant, fromWireRootGrant), Rotation: maybe(wire.Rotation, fromWireRotation),
	}
	for date, set := range wire.Old {
		if keys.Old == nil {
			keys.Old = make(map[string]store.KeySet, len(wire.Old))
		}
		keys.Old[date] = fromWireKeySet(set)
	}
	return keys, nil
}

// DecodeOutline is the inverse of EncodeOutline: every secret is withheld. A text that is not
// Placeholder is refused, since it could be a secret.
func DecodeOutline(data []byte, o Object) (store.Keys, error) {
	keys, err := DecodeKeys(data, o)
	if err != nil {
		return store.Keys{}, err
	}
	revealed := false
	keys.EachSecret(func(s *secret.Value) {
		if s.Empty() {
			return
		}
		revealed = revealed || s.Reveal() != Placeholder
		*s = secret.Withheld()
	})
	if revealed {
		return store.Keys{}, Corrupt(o, fmt.Errorf("its header has something else than %q in the place of a secret", Placeholder))
	}
	return keys, nil
}

// revealer turns secrets into text, and keeps an error if JSON cannot carry one. For an outline it
// reveals none.
type revealer struct {
	outline bool
	err     error
}

func (e *revealer) text(v secret.Value) string {
	switch {
	case e.outline && v.Empty():
		return ""
	case e.outline:
		return Placeholder
	case v.IsWithheld() && e.err == nil:
		e.err = errors.New("encoding the keys: a secret was not read and would be lost by storing the record")
	}
	text := v.Reveal()
	if !utf8.ValidString(text) && e.err == nil {
		e.err = errors.New("encoding the keys: a secret is not UTF-8 text and would be changed by storing it")
	}
	return text
}

func (e *revealer) keySet(s store.KeySet) wireKeySet {
	return wireKeySet{
		Kind:      string(s.Kind),
		Shares:    each(s.Shares, e.text),
		Threshold: s.Threshold,
		ClusterID: s.ClusterID,
		Created:   UTC(s.Created),
		Custody:   each(s.Custody, func(c store.CustodyShare) wireCustody { return wireCustody(c) }),
		Attempt:   s.Attempt,
	}
}

func fromWireKeySet(s wireKeySet) store.KeySet {
	return store.KeySet{
		Kind:      store.KeyKind(s.Kind),
		Shares:    each(s.Shares, secret.New),
		Threshold: s.Threshold,
		ClusterID: s.ClusterID,
		Created:   UTC(s.Created),
		Custody:   each(s.Custody, func(c wireCustody) store.CustodyShare { return store.CustodyShare(c) }),
		Attempt:   s.Attempt,
	}
}

func (e *revealer) attempt(a store.Attempt) wireAttempt {
	return wireAttempt{
		ID: a.ID, Holder: a.Holder, Epoch: a.Epoch, Started: UTC(a.Started), Status: string(a.Status), Target: a.Target,
		Pod: a.Pod, Public: a.PublicKey, Private: e.text(a.PrivateKey),
		Emptied: maybe(a.Emptied, func(e store.Emptied) wireEmptied { return wireEmptied(e) }), EmptiedAt: UTC(a.EmptiedAt),
		Answer: maybe(a.Answer, func(a store.Answer) wireAnswer { return wireAnswer(a) }), Process: a.Process, Grace: formatGrace(a.Grace),
	}
}

func fromWireAttempt(a wireAttempt) store.Attempt {
	return store.Attempt{
		ID: a.ID, Holder: a.Holder, Epoch: a.Epoch, Started: UTC(a.Started), Status: store.AttemptStatus(a.Status), Target: a.Target,
		Pod: a.Pod, PublicKey: a.Public, PrivateKey: secret.New(a.Private),
		Emptied: maybe(a.Emptied, func(e wireEmptied) store.Emptied { return store.Emptied(e) }), EmptiedAt: UTC(a.EmptiedAt),
		Answer: maybe(a.Answer, func(a wireAnswer) store.Answer { return store.Answer(a) }), Process: a.Process, Grace: parseGrace(a.Grace),
	}
}

// formatGrace returns a duration as people write it; empty for none.
func formatGrace(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// parseGrace is the inverse of formatGrace. What is not a duration, perhaps because somebody edited
// it, counts as none: then the longest is assumed.
func parseGrace(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d
}
