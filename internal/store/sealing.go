package store

import (
	"errors"
	"slices"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// ErrLocked means that the keys record is there, and is encrypted to recipients none of which
// opens it here and now. What needs no secret can be read all the same: see Store.Outline.
var ErrLocked = errors.New("the keys record cannot be opened")

// Sealing says how a keys record is encrypted: its secrets with a data key, and the data key to each
// recipient. It is not changed once it is made: a record gets another.
type Sealing struct {
	// DataKey is the ID of the data key.
	DataKey string
	// Generation counts how often the secrets were encrypted.
	Generation int64
	// Wraps hold the data key, one for each recipient, in the order in which these were given.
	Wraps []Wrap
	// Stored is the record as it was read, if it was not opened, and nil if it was.
	Stored []byte
}

// Wrap is a data key that one recipient can unwrap.
type Wrap struct {
	// Recipient is its name, as --keys-to takes it.
	Recipient string
	// Version is that of the recipient's key; empty if it has none.
	Version string
	// Wrapped is the data key, in a form of the recipient's own.
	Wrapped []byte
	// Made is when it was made, in UTC.
	Made time.Time
	// Proven is when the recipient was last seen to unwrap a data key of this record, in UTC; zero if
	// it never was, as with an escrow that nobody has tried.
	Proven time.Time
	// Escrow is whether the recipient could not unwrap it where it was made.
	Escrow bool
}

// Proven returns a copy of s in which the recipients of these names were proven at a time.
func (s Sealing) Proven(names []string, at time.Time) *Sealing {
	s.Wraps = slices.Clone(s.Wraps)
	for i := range s.Wraps {
		if slices.Contains(names, s.Wraps[i].Recipient) {
			s.Wraps[i].Proven = at.UTC()
		}
	}
	return &s
}

// LongestUntried returns when the recipient that was not proven for longest was last proven; zero for
// a record in clear. One that never was counts from when its wrap was made.
func (k Keys) LongestUntried() time.Time {
	var longest time.Time
	if k.Sealing == nil {
		return longest
	}
	for _, wrap := range k.Sealing.Wraps {
		last := wrap.Made
		if wrap.Proven.After(last) {
			last = wrap.Proven
		}
		if longest.IsZero() || last.Before(longest) {
			longest = last
		}
	}
	return longest
}

// Locked reports whether the record was read without opening it: every secret in it is withheld,
// and only the epoch and the statuses and init responses of attempts can be changed.
func (k Keys) Locked() bool { return k.Sealing != nil && k.Sealing.Stored != nil }

// Secret reports whether the record holds any secret.
func (k Keys) Secret() bool {
	found := false
	k.EachSecret(func(s *secret.Value) { found = found || !s.Empty() })
	return found
}

// EachSecret calls visit with the place of every secret in the record, even if it is empty.
func (k *Keys) EachSecret(visit func(*secret.Value)) {
	for _, attempt := range k.Attempts() {
		visit(&attempt.PrivateKey)
	}
	if k.Set != nil {
		k.Set.eachShare(visit)
	}
	if k.Root != nil {
		visit(&k.Root.Token)
	}
	for _, role := range []*AppRole{k.AppRole, k.Ceremony} {
		if role != nil {
			visit(&role.SecretID)
		}
	}
	visit(&k.HashKey)
	for _, old := range k.Old {
		old.eachShare(visit)
	}
	if k.RootGrant != nil {
		visit(&k.RootGrant.PrivateKey)
		visit(&k.RootGrant.Token)
	}
	if k.Rotation == nil {
		return
	}
	visit(&k.Rotation.PrivateKey)
	if k.Rotation.Set != nil {
		k.Rotation.Set.eachShare(visit)
	}
	for _, rival := range k.Rotation.Rivals {
		rival.eachShare(visit)
	}
}

// eachShare visits the shares in place: a copy of a set has the same.
func (s KeySet) eachShare(visit func(*secret.Value)) {
	for i := range s.Shares {
		visit(&s.Shares[i])
	}
}
