package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// recipients say to whom the keys record of a case is encrypted.
type recipients int

const (
	asAsked  recipients = iota // by -encrypted to a person, without it to nobody
	byPerson                   // whose identity the program has
	byKMS                      // and to a person whose identity it does not have
)

// The verbs that encrypt a record, or work with an encrypted one.
var (
	verbReseal = &verb{name: "keys reseal", arguments: reseals, stage: resealed, recipients: byPerson, offline: true}
	// This one begins with a record in clear.
	verbMigrate  = &verb{name: "run, keys in clear before", arguments: runs, walks: true, stage: inClear, recipients: byPerson}
	verbImport   = &verb{name: "keys import", arguments: imports, stage: exported, recipients: byPerson, offline: true, unfinished: noKeys}
	verbRotateTo = &verb{name: "keys rotate, encrypted", arguments: words("keys rotate --timeout=100s"), stage: hardened, recipients: byPerson, exchanges: true, rotates: true}
)

// encryptingVerbs are all of them.
func encryptingVerbs() []*verb { return []*verb{verbReseal, verbMigrate, verbImport, verbRotateTo} }

// encrypted returns the records of a case that are encrypted to a person.
func (sc *scene) encrypted() *encryptedRecords { return sc.records.(*encryptedRecords) }

// resealed begins with a hardened Vault whose record is to have another recipient. Whoever comes next
// knows both.
func resealed(ctx context.Context, sc *scene) error {
	if err := hardened(ctx, sc); err != nil {
		return err
	}
	next, err := newPerson(sc.dir, "next")
	if err != nil {
		return err
	}
	e := sc.encrypted()
	e.given = append(e.given, "--keys-to="+next.recipient, "--keys-identity="+next.file)
	e.safe = append(e.safe, next)
	return nil
}

func reseals(sc *scene) []string {
	return []string{"keys", "reseal", "--to=" + sc.encrypted().safe[1].recipient}
}

// opensFor returns which of those who could open the record as it was, or can open it as it is to be,
// open it.
func (e *encryptedRecords) opensFor(stored []byte) (names []string) {
	for _, each := range e.safe {
		if _, err := driver.OpenRecord(stored, each.identity); err == nil {
			names = append(names, each.recipient)
		}
	}
	return names
}

// inClear begins with a hardened Vault whose keys are in clear.
func inClear(ctx context.Context, sc *scene) error {
	e := sc.encrypted()
	sc.records = e.records
	err := hardened(ctx, sc)
	e.wasClear = true
	sc.records = e
	return err
}

// exported begins with a hardened Vault whose keys record is gone, and with an export of it.
func exported(ctx context.Context, sc *scene) error {
	if err := hardened(ctx, sc); err != nil {
		return err
	}
	sc.offer = filepath.Join(sc.dir, "export.age")
	export := &verb{name: "keys export", offline: true, arguments: func(sc *scene) []string {
		return []string{"keys", "export", "--to=" + sc.encrypted().safe[0].recipient, "--out=" + sc.offer}
	}}
	end, err := sc.finish(ctx, options{verb: export})
	if err == nil && end.Code != exitDone {
		err = fmt.Errorf("keys export exited with %d\n%s", end.Code, end.Stderr)
	}
	if err != nil {
		return err
	}
	return sc.records.remove(ctx, "keys")
}

func imports(sc *scene) []string { return []string{"keys", "import", "--from=" + sc.offer} }

// The points at which a record with a new data key is about to be stored, and was stored and not read
// back yet.
const (
	pointRecord    = "record."
	pointEncrypted = pointRecord + "encrypted"
	pointRenewed   = pointRecord + "stored"
)

// atStep checks what the record opens for where a process was stopped that encrypts it: for its former
// recipients until it is stored, and from then on for the next ones only.
func (sc *scene) atStep(ctx context.Context, point string) error {
	if sc.verb != verbReseal || !strings.HasPrefix(point, "re") {
		return nil
	}
	e := sc.encrypted()
	stored, _, err := e.records.read(ctx, "keys")
	if err != nil {
		return err
	}
	want := e.safe[0].recipient
	if point == pointRenewed || point == "reseal.stored" {
		want = e.safe[1].recipient
	}
	if names := e.opensFor(stored); len(names) != 1 || names[0] != want {
		return &unopenedError{fmt.Errorf("at %s the record opens for %v, not for %s", point, names, want)}
	}
	return nil
}
