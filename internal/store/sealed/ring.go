package sealed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// The names of faults of an encrypted record.
const (
	// KeysUnreachable: the record is encrypted, and those who could open it do not answer. It is
	// transient.
	KeysUnreachable = "keys unreachable"
	// KeysSealedToOthers: the record is encrypted, and none of the recipients that this process was
	// given opens it.
	KeysSealedToOthers = "keys sealed to others"
)

// Recipient wraps a data key and unwraps it: a key of a KMS, or of a person. about is what the wrap
// is bound to; it is not secret.
type Recipient interface {
	Name() string
	Wrap(ctx context.Context, key secret.Value, about map[string]string) (wrapped []byte, version string, err error)
	Unwrap(ctx context.Context, wrapped []byte, about map[string]string) (secret.Value, error)
}

// Ring holds the recipients of a record, in the order in which they are asked.
type Ring struct {
	Recipients []Recipient
	// Some is whether these are only some of the record's recipients, on purpose.
	Some bool
	// NoIdentity is in the chain of an error of Unwrap if a recipient is an escrow here: somebody
	// else has what it takes to unwrap.
	NoIdentity error
	// Now is the time.
	Now func() time.Time
	// Patience is the time for a call of a recipient; 0 is callTime.
	Patience time.Duration
}

// callTime limits a call of a recipient, and those of all together when a record is opened: a run says
// within 10 s which of them do not answer.
const callTime = 8 * time.Second

// limited returns the context of one call.
func (r Ring) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, cmp.Or(r.Patience, callTime))
}

// locked returns the error of a record that no recipient opens.
func (c *Codec) locked(recipients []string, problems []error, o wire.Object) error {
	err := fmt.Errorf("%s: %w", o.Name, store.ErrLocked)
	away := false
	for _, problem := range problems {
		err = fmt.Errorf("%w; %w", err, problem)
		away = away || fault.KindOf(problem) == fault.Transient
	}
	if away {
		return &fault.Error{
			Kind: fault.Transient, Name: KeysUnreachable, Err: err,
			Remedy: "The keys are stored, encrypted to " + strings.Join(recipients, ", ") + ". Waiting for one of these that can open them here to answer.",
		}
	}
	if len(problems) == 0 {
		err = fmt.Errorf("%w: it is encrypted to %s, and --keys-to names none of these", err, strings.Join(recipients, ", "))
	}
	return fault.Stop(KeysSealedToOthers, err,
		"The keys are stored, and were not changed: they are encrypted to "+strings.Join(recipients, ", ")+". Name one of these that can open them here with --keys-to, and for age the file with its identity with --keys-identity.")
}

// about is what every wrap of a data key is bound to.
func (c *Codec) about(id string) map[string]string {
	return map[string]string{"vault-bootstrap-record": c.name, "vault-bootstrap-data-key": id}
}

// unwrap returns the data key with an ID from a wrap of it.
func (c *Codec) unwrap(ctx context.Context, from Recipient, wrapped []byte, id string) (secret.Value, error) {
	ctx, cancel := c.ring.limited(ctx)
	defer cancel()
	key, err := from.Unwrap(ctx, wrapped, c.about(id))
	if err != nil {
		return secret.Value{}, err
	}
	if got, err := idOf(key); err != nil || got != id {
		return secret.Value{}, fault.Stop("", fmt.Errorf("unwrapping the key with %q: it holds another key than that of this record", from.Name()), "")
	}
	return key, nil
}

// Prepare makes a data key for the recipients, unless there is one already, so that Encode can
// encrypt to them; keys is the record as it is. If one cannot wrap it, or is given something else back, or if none
// can unwrap it here, it fails.
func (c *Codec) Prepare(ctx context.Context, keys store.Keys) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil || len(c.ring.Recipients) == 0 {
		return nil
	}
	sealing, err := c.make(ctx, keys)
	c.last = sealing
	return err
}

// Renew makes a new data key for the recipients, for a record that is encrypted to others or with
// an earlier one. The keys are encrypted with it once they have this Sealing, in a generation after
// theirs and after mark, which may be nil.
func (c *Codec) Renew(ctx context.Context, keys store.Keys, mark *store.HighWater) (*store.Sealing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sealing, err := c.make(ctx, keys)
	if err != nil {
		return nil, err
	}
	if keys.Sealing != nil {
		sealing.Generation = keys.Sealing.Generation
	}
	if mark != nil {
		sealing.Generation = max(sealing.Generation, mark.Generation)
	}
	return sealing, nil
}

// make makes a data key, has each recipient wrap it, and unwraps it again: a recipient that may
// encrypt and not decrypt would be noticed when the key is needed. The caller holds the lock.
func (c *Codec) make(ctx context.Context, keys store.Keys) (*store.Sealing, error) {
	key := newDataKey()
	id, err := idOf(key)
	if err != nil {
		return nil, err
	}
	sealing := &store.Sealing{DataKey: id}
	opens := false
	for _, recipient := range c.ring.Recipients {
		err := c.elsewhere(ctx, recipient, keys)
		if err != nil {
			return nil, err
		}
		wrap, err := c.wrap(ctx, recipient, key, id)
		if err != nil {
			return nil, refused(err)
		}
		opens = opens || !wrap.Escrow
		if wrap.Escrow {
			wrap.Proven = provenIn(keys, wrap.Recipient)
		}
		sealing.Wraps = append(sealing.Wraps, wrap)
	}
	if !opens {
		return nil, fault.Misuse(fmt.Errorf("the keys would be encrypted to %s only, and nothing here could open them again", strings.Join(recipientsOf(*sealing), ", ")),
			"Nothing was changed. Add a recipient with --keys-to that this process can use, or name the file with the identity of one with --keys-identity.")
	}
	c.known[id], c.unread[id] = key, true
	return sealing, nil
}

// provenIn returns when the record shows a recipient to have been proven; zero if it does not. The
// proof is of the recipient, not of the data key: an escrow whose identity was tried before a new data
// key was made is still there afterwards.
func provenIn(keys store.Keys, recipient string) time.Time {
	if keys.Sealing == nil {
		return time.Time{}
	}
	for _, wrap := range keys.Sealing.Wraps {
		if wrap.Recipient == recipient {
			return wrap.Proven
		}
	}
	return time.Time{}
}

// elsewhere fails if a recipient is a server of the cluster that the keys unseal: sealed, it could not
// open them.
func (c *Codec) elsewhere(ctx context.Context, recipient Recipient, keys store.Keys) error {
	server, ok := recipient.(interface {
		ClusterID(ctx context.Context) (string, error)
	})
	if !ok || keys.Set == nil || keys.Set.ClusterID == "" {
		return nil
	}
	ctx, cancel := c.ring.limited(ctx)
	defer cancel()
	id, err := server.ClusterID(ctx)
	if err != nil {
		return refused(err)
	}
	if id == keys.Set.ClusterID {
		return fault.Misuse(fmt.Errorf("%s is the Vault itself that the keys unseal", recipient.Name()), "Nothing was changed. Name a key of another server: sealed, this one could not open the keys.")
	}
	return nil
}

// Try unwraps the data key of a record through each recipient that this process was given, and
// returns by name why that fails, nil if it does not. A recipient that the record is not encrypted
// to is left out.
func (c *Codec) Try(ctx context.Context, sealing store.Sealing) map[string]error {
	c.mu.Lock()
	defer c.mu.Unlock()
	results := map[string]error{}
	for _, recipient := range c.ring.Recipients {
		for _, wrap := range sealing.Wraps {
			if wrap.Recipient == recipient.Name() {
				_, results[wrap.Recipient] = c.unwrap(ctx, recipient, wrap.Wrapped, sealing.DataKey)
			}
		}
	}
	return results
}

// Escrow reports whether an error of Try only says that somebody else has the identity.
func (c *Codec) Escrow(err error) bool {
	return c.ring.NoIdentity != nil && errors.Is(err, c.ring.NoIdentity)
}

// wrap has a recipient wrap a data key, and unwrap it again unless it is an escrow.
func (c *Codec) wrap(ctx context.Context, recipient Recipient, key secret.Value, id string) (store.Wrap, error) {
	calls, cancel := c.ring.limited(ctx)
	defer cancel()
	wrapped, version, err := recipient.Wrap(calls, key, c.about(id))
	if err != nil {
		return store.Wrap{}, err
	}
	wrap := store.Wrap{Recipient: recipient.Name(), Version: version, Wrapped: wrapped, Made: c.ring.Now().UTC()}
	_, err = c.unwrap(ctx, recipient, wrapped, id)
	if c.Escrow(err) {
		wrap.Escrow = true
		return wrap, nil
	}
	wrap.Proven = wrap.Made
	return wrap, err
}

// refused is the error of a recipient before anything was encrypted to it.
func refused(err error) error {
	kind, name := fault.Usage, ""
	if fault.KindOf(err) == fault.Transient {
		kind, name = fault.Transient, KeysUnreachable
	}
	return &fault.Error{Kind: kind, Name: name, Err: fmt.Errorf("checking that the keys can be encrypted: %w", err), Remedy: fault.RemedyOf(err)}
}
