package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// scenes are cases that a single signal does not make.
func (s *suite) scenes() []trial {
	return append(kmsScenes(), []trial{
		{kind: "holder partitioned", point: "before sys/init", inKube: true, act: partitionedBefore},
		{kind: "holder partitioned", point: "before the successor's", inKube: true, act: partitionedBeforeSuccessor},
		{kind: "holder partitioned", point: "in sys/init", inKube: true, act: partitionedInInit},
		{kind: "older record put back", point: "keys", act: olderPutBack("keys")},
		{kind: "older record put back", point: "keys", inKube: true, act: olderPutBack("keys")},
		{kind: "older record put back", point: "state", act: olderPutBack("state")},
		{kind: "older record put back", point: "state", inKube: true, act: olderPutBack("state")},
		{kind: "refused with 400", point: "sys/init", extra: s.refuse, act: refusedRuns},
		{verb: verbWatch, kind: "refused with 400", point: "sys/init", extra: s.refuse, act: refusedWatch},
		{kind: "admission refuses", point: pointSpooled, inKube: true, extra: s.forbid, act: admissionRefuses},
		{verb: verbWatch, kind: "admission refuses", point: pointSpooled, inKube: true, extra: s.forbid, act: admissionRefuses},
		{kind: "keys being deleted", point: "at start", inKube: true, act: spoiltBefore(beingDeleted, "record is being deleted")},
		{kind: "keys being deleted", point: pointIntended, inKube: true, act: spoiltAt(pointIntended, beingDeleted)},
		{kind: "keys immutable", point: "at start", inKube: true, act: spoiltBefore(immutable, "record is immutable")},
		{kind: "keys immutable", point: pointIntended, inKube: true, act: spoiltAt(pointIntended, immutable)},
		{kind: "record full", point: "at start", inKube: true, act: recordFull},
		{kind: "record full", point: "at start", act: recordFull},
		{kind: "namespace ends", point: "at start", inKube: true, act: spoiltBefore(namespaceEnds, "namespace is being deleted")},
		{kind: "namespace ends, records there", point: "at start", inKube: true, act: spoiltBefore(recordsAndNamespaceEnd, "namespace is being deleted")},
		{kind: "namespace ends", point: pointSpooled, inKube: true, act: spoiltAt(pointSpooled, namespaceEnds)},
	}...)
}

// safeEnd judges the end of a run whose records were spoilt: a terminal error, or one of
// usage, is right as long as Vault was not initialized without keys that are stored.
func (sc *scene) safeEnd(ctx context.Context, end driver.Result) error {
	sc.say("exit %d %s", end.Code, end.Failure)
	switch end.Code {
	case exitTerminal, exitUsage:
	case -1:
		return fmt.Errorf("the disturbed run was killed\n%s", end.Stderr)
	default:
		return nil
	}
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	for _, init := range sc.inits() {
		if init.status == http.StatusOK && keys.Set == nil && !sc.safe(ctx) {
			return fmt.Errorf("the run ended with %q, and Vault is initialized\n%s", end.Failure, end.Stderr)
		}
	}
	return nil
}
