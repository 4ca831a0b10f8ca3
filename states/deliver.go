package states

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/point"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// Delivery brings Vault's answer to sys/init into the keys record.
type Delivery struct {
	records   *held
	log       *slog.Logger
	responses *responses
	locations []spool.Location // that keep the answer until it is stored

	usable  []spool.Location // the locations that can take the answer
	attempt *store.Attempt   // the one that this process began
}

// NewDelivery returns a Delivery for a process that holds records and initializes nothing. The
// splits are those with which Vault was initialized.
func NewDelivery(setting *Setting, records Records, locations []spool.Location, split, recovery ceremony.KeySplit) *Delivery {
	return &Delivery{records: &held{records}, log: setting.Log, responses: &responses{setting.Now, split, recovery}, locations: locations}
}

// logAgain is the interval at which a failure to store the keys is logged again.
const logAgain = 30 * time.Second

// deliver stores Vault's answer: ciphertext, opened shares and root token in one write, read back.
// It tries until the run's time is up, and then for as long as a pod has to terminate. It retries
// every failure, even a forbidden one, since somebody may fix the cause while we still hold the
// keys.
func (d *Delivery) deliver(ctx context.Context, entry spool.Entry) error {
	ctx, cancel := outlive(ctx, graceAfterEnd)
	defer cancel()
	backoff := retry.WithCappedDuration(2*time.Second, retry.NewExponential(50*time.Millisecond))
	var last error
	var logged time.Time
	tries := 0
	err := retry.Do(ctx, backoff, func(ctx context.Context) error {
		before := last
		last = d.store(ctx, entry)
		if last == nil || errors.Is(last, errUnknownAttempt) {
			return last
		}
		tries++
		if before == nil || before.Error() != last.Error() || d.responses.now().Sub(logged) >= logAgain {
			logged = d.responses.now()
			d.log.Error("the keys are not stored yet, trying again", "tries", tries, "error", last.Error(), "remedy", fault.RemedyOf(last))
		}
		return retry.RetryableError(last)
	})
	switch {
	case err == nil:
		point.Reach("initialize.stored")
		d.unspool(entry.Attempt)
		return nil
	case errors.Is(err, errUnknownAttempt):
		return fmt.Errorf("storing the keys: %w", err)
	default:
		return fault.Stop("keys not stored", fmt.Errorf("the keys could not be stored: %w", last),
			"They are not lost: they are spooled ("+d.spoolNames()+"), encrypted to a key that is in the keys record. Fix the store, then run again with the same spool, or give its content to 'vault-bootstrap keys recover'.")
	}
}

// errUnknownAttempt means that the attempt of an answer is not on record, nor known to this
// process.
var errUnknownAttempt = errors.New("the attempt that the answer belongs to is not on record")

// store keeps the answer in the attempt that it belongs to and, where no keys are stored yet, opens
// it and makes it the set in force, all in one compare-and-swap. If the record cannot be opened, the
// answer is kept as it came: it is ciphertext, and needs nobody to store it. No answer is refused: a process
// that was cut off may deliver after another one has begun its own attempt, and only unsealing
// shows which of the two opens this Vault. It is not fenced, since the answer is the only copy of
// the keys.
func (d *Delivery) store(ctx context.Context, entry spool.Entry) error {
	err := d.records.Deliver(ctx, func(keys *store.Keys) error {
		attempt, err := d.attemptOf(keys, entry.Attempt)
		if err != nil {
			return err
		}
		if attempt.Status == store.AttemptStored && attempt.Answer == nil {
			return nil // it was no longer needed, and was dropped
		}
		attempt.Status = store.AttemptStored
		attempt.Answer = &store.Answer{
			Shares: entry.Shares, Root: entry.Root, Recovery: entry.Recovery, Threshold: entry.Threshold, Custody: entry.Custody,
		}
		if keys.Set != nil || attempt.Emptied != nil {
			return nil
		}
		if keys.Locked() {
			attempt.Status = store.AttemptUnopened
			d.log.Warn("the init response is stored, and cannot be opened yet", "attempt_id", attempt.ID)
			return nil
		}
		set, root, err := d.responses.open(*attempt, entry)
		if err != nil {
			return err
		}
		keys.Set, keys.Root = &set, &root
		return nil
	})
	if err != nil {
		return err
	}
	return d.readBack(ctx, entry)
}

// attemptOf returns the attempt on record. If this process made it and it is no longer on record,
// because somebody removed the record or restored an older one, it is put on record again: what we
// remember of it is all there is.
func (d *Delivery) attemptOf(keys *store.Keys, id string) (*store.Attempt, error) {
	switch attempt := keys.AttemptOf(id); {
	case attempt != nil:
		return attempt, nil
	case d.attempt == nil || d.attempt.ID != id:
		return nil, errUnknownAttempt
	case keys.Locked():
		return nil, fmt.Errorf("the attempt %q is no longer on record, and its private key cannot be added: %w", id, store.ErrLocked)
	}
	if keys.HashKey.Empty() {
		keys.HashKey = newSecret()
	}
	remembered := *d.attempt
	if keys.Attempt == nil {
		keys.Attempt = &remembered
		return keys.Attempt, nil
	}
	keys.Past = append(keys.Past, remembered)
	return &keys.Past[len(keys.Past)-1], nil
}

// readBack makes sure that what was stored can be read and is what was sent.
func (d *Delivery) readBack(ctx context.Context, entry spool.Entry) error {
	keys, err := d.records.Outline(ctx)
	if err != nil {
		return fmt.Errorf("reading the stored keys back: %w", err)
	}
	attempt := keys.AttemptOf(entry.Attempt)
	if attempt != nil && (attempt.Status == store.AttemptStored || attempt.Status == store.AttemptUnopened) && (attempt.Answer == nil || slices.Equal(attempt.Answer.Shares, entry.Shares)) {
		return nil
	}
	return errors.New("reading the stored keys back: they are not there, or differ")
}

// Recover stores a spooled answer that an operator supplies.
func (d *Delivery) Recover(ctx context.Context, text []byte) error {
	entry, err := spool.Find(text)
	if err != nil {
		return fault.Misuse(err, "Give the content of a .spool file, or the termination message of the pod that initialized Vault.")
	}
	keys, err := d.records.Outline(ctx)
	if err != nil {
		return err
	}
	if keys.AttemptOf(entry.Attempt) == nil {
		return fault.Stop(fsm.NameKeysLost, fmt.Errorf("the answer belongs to the attempt %q, which is not on record", entry.Attempt),
			"Find the keys record of that attempt: --store, --name and --namespace say which record is read. Only the private key in it opens the answer.")
	}
	return d.deliver(ctx, entry)
}

// outlive returns a context that ends a while after ctx does, with the values of
// ctx.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() { stop(); cancel() }
}

// makeSet makes the answer of an attempt, which has opened the cluster, the set in force. The
// previous set stays on record, as the answer of its own attempt.
func (d *Delivery) makeSet(ctx context.Context, id, cluster string) error {
	d.log.Warn("of several init responses on record, another one opens this Vault: it is the set in force now", "attempt_id", id)
	return d.records.UpdateKeys(ctx, func(keys *store.Keys) error {
		attempt := keys.AttemptOf(id)
		if attempt == nil || attempt.Answer == nil {
			return fmt.Errorf("attempt %q has no answer on record", id)
		}
		set, root, err := d.responses.open(*attempt, entryOf(*attempt))
		if err != nil {
			return err
		}
		set.ClusterID = cluster
		if origin := keys.Origin(); keys.Set != nil && (origin == nil || origin.Answer == nil || origin.PrivateKey.Empty()) {
			ceremony.PutAway(keys, d.responses.now(), *keys.Set)
		}
		keys.Set, keys.Root = &set, &root
		return nil
	})
}

// checkSpool proves, with an entry of the size of Vault's answer, that the answer can be spooled
// somewhere. A location that cannot take it is skipped with a warning, as long as another one can.
func (d *Delivery) checkSpool(ctx context.Context, pair pgp.Pair, split ceremony.KeySplit) error {
	size, err := answerSize(split, pair)
	if err != nil {
		return err
	}
	var usable []spool.Location
	var problems []error
	for _, location := range d.locations {
		if err := location.Check(ctx, size); err != nil {
			problems = append(problems, err)
			d.log.Warn("this spool location cannot take Vault's answer", "place", location.Name(), "error", err.Error())
			continue
		}
		usable = append(usable, location)
	}
	if len(usable) == 0 {
		return fault.Misuse(fmt.Errorf("no spool location can keep Vault's answer of %d bytes until it is stored: %w", size, errors.Join(problems...)),
			"Name a writable directory with --spool-dir.")
	}
	d.usable = usable
	return nil
}

// spool writes the answer to every usable location. A failure is logged and does not stop the
// others: the answer is still in memory, and on its way to the store.
func (d *Delivery) spool(entry spool.Entry) {
	encoded, err := entry.Encode()
	if err != nil {
		d.log.Error("the answer cannot be spooled", "error", err.Error())
		return
	}
	for _, location := range d.usable {
		if err := location.Write(entry.Attempt, encoded); err != nil {
			d.log.Error("the answer is not spooled here", "place", location.Name(), "error", err.Error())
		}
	}
}

// unspool removes an answer that is stored. What cannot be removed is ciphertext that nothing opens
// once the attempt's key is dropped.
func (d *Delivery) unspool(attempt string) {
	for _, location := range d.locations {
		if err := location.Remove(attempt); err != nil {
			d.log.Warn("a spooled answer was not removed", "place", location.Name(), "error", err.Error())
		}
	}
}

func (d *Delivery) spoolNames() string {
	names := make([]string, 0, len(d.usable))
	for _, location := range d.usable {
		names = append(names, location.Name())
	}
	return strings.Join(names, ", ")
}
