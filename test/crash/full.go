package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

const (
	// secretLimit is what the API server takes in a Secret.
	secretLimit = 1 << 20
	// leftRoom is too little for another attempt and Vault's answer to it.
	leftRoom = 4 << 10

	nameRecordFull = "keys record full"
)

// recordFull fills the keys record with attempts, as one run after another would leave them.
// Vault must not be asked for what could not be stored.
func recordFull(ctx context.Context, sc *scene) error {
	if err := killAt(pointIntended)(ctx, sc); err != nil {
		return err
	}
	before, _, err := sc.records.read(ctx, "keys")
	if err != nil {
		return err
	}
	full, err := filled(before, secretLimit-leftRoom)
	if err != nil {
		return err
	}
	if err := sc.records.putBack(ctx, "keys", full); err != nil {
		return err
	}
	sc.repairs = append(sc.repairs, func(ctx context.Context) error { return sc.records.putBack(ctx, "keys", before) })
	end, err := sc.finish(ctx, sc.options("--timeout=60s"))
	if err != nil {
		return err
	}
	if end.Code != exitTerminal || end.Failure != nameRecordFull || len(sc.inits()) > 0 {
		return fmt.Errorf("exit %d %q, and %d × sys/init, with a record of %d bytes\n%s", end.Code, end.Failure, len(sc.inits()), len(full), end.Stderr)
	}
	after, err := sc.keys(ctx)
	if err == nil && (after.Set != nil || after.Attempt == nil) {
		err = fmt.Errorf("the full record was changed\n%s", end.Stderr)
	}
	return err
}

// filled adds copies of the attempt on record until the record has a size.
func filled(record []byte, size int) ([]byte, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(record, &keys); err != nil {
		return nil, err
	}
	var attempt map[string]any
	if err := json.Unmarshal(keys["attempt"], &attempt); err != nil {
		return nil, err
	}
	one := len(keys["attempt"]) + len(",")
	var past []map[string]any
	for room := size - len(record); room > one; room -= one {
		copied := map[string]any{}
		for key, value := range attempt {
			copied[key] = value
		}
		id := fmt.Sprint(attempt["id"])
		number := strconv.Itoa(len(past))
		copied["id"] = id[:len(id)-len(number)] + number
		past = append(past, copied)
	}
	content, err := json.Marshal(past)
	if err != nil {
		return nil, err
	}
	keys["past"] = content
	return json.Marshal(keys)
}
