package states

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/pgp"
	"github.com/vault-bootstrap/vault-bootstrap/internal/spool"
	"github.com/vault-bootstrap/vault-bootstrap/states/ceremony"
)

// checkSpool proves, with an entry of the size of Vault's answer, that the answer can be spooled
// somewhere. A location that cannot take it is skipped with a warning, as long as another one can.
func (d *Delivery) checkSpool(ctx context.Context, pair pgp.Pair, split ceremony.KeySplit) error {
	size, err := answerSize(split, pair)
	if err != nil {
		return err
	}
	var usable []spool.Place
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
