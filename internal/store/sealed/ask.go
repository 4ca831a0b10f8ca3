package sealed

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// asked is a recipient that may hold the data key of a record.
type asked struct {
	from    Recipient
	wrapped []byte
}

// fitting returns the recipients of this process that the record is encrypted to, in the order in
// which they are asked.
func (c *Codec) fitting(record *document) []asked {
	var found []asked
	for _, recipient := range c.ring.Recipients {
		for _, wrap := range record.Sealing.Wraps {
			if wrap.Recipient == recipient.Name() {
				found = append(found, asked{recipient, wrap.Wrapped})
			}
		}
	}
	return found
}

// ask returns the data key of the first recipient that unwraps it, or why each of them does not, in
// their order. The next one is asked when one has failed, and also when it has not answered for half of
// the time: all of them together have no more than one call of theirs may take.
func (c *Codec) ask(ctx context.Context, all []asked, id string) (key secret.Value, problems []error) {
	ctx, cancel := c.ring.limited(ctx)
	type answer struct {
		from int
		key  secret.Value
		err  error
	}
	answers := make(chan answer, len(all))
	var asking sync.WaitGroup
	defer func() { cancel(); asking.Wait() }() // what is asked ends with the context
	started, failed := 0, 0
	next := func() {
		if started == len(all) {
			return
		}
		from := started
		started++
		asking.Go(func() {
			key, err := c.unwrap(ctx, all[from].from, all[from].wrapped, id)
			answers <- answer{from, key, err}
		})
	}
	silent := time.NewTimer(cmp.Or(c.ring.Patience, callTime) / 2)
	defer silent.Stop()
	problems = make([]error, len(all))
	next()
	for failed < len(all) {
		select {
		case got := <-answers:
			if got.err == nil {
				return got.key, nil
			}
			problems[got.from] = got.err
			failed++
			if failed == started {
				next()
			}
		case <-silent.C:
			for started < len(all) {
				next()
			}
		}
	}
	return secret.Value{}, problems
}

// dataKey returns the data key of a record: the known one, or that of the first recipient that
// unwraps it. Only one goroutine asks at a time, so that one answer serves all.
func (c *Codec) dataKey(ctx context.Context, record *document, o wire.Object) (secret.Value, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := record.Sealing.DataKey
	if key, known := c.known[id]; known {
		return key, nil
	}
	key, problems := c.ask(ctx, c.fitting(record), id)
	if !key.Empty() {
		c.known[id] = key
		return key, nil
	}
	return secret.Value{}, c.locked(record.recipients(), problems, o)
}
