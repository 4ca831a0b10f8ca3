package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// notStored is what a run logs when it could not store the keys, and every half minute after that.
const notStored = "the keys are not stored yet"

// arrived ends a case that kept a run from storing the keys: they are there when it
// ends, and it may have lost its Lease meanwhile.
func (sc *scene) arrived(ctx context.Context, p *driver.Process) error {
	end := p.Wait()
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	if keys.Set == nil || end.Code != exitDone && end.Code != exitBusy {
		return fmt.Errorf("exit %d, keys stored: %t\n%s", end.Code, keys.Set != nil, end.Stderr)
	}
	sc.say("exit %d", end.Code)
	return nil
}

// apiServerAway takes the API server away while a run holds keys that are not stored.
func apiServerAway(ctx context.Context, sc *scene) (err error) {
	p, err := sc.startStopped(ctx, sc.stopping(pointSpooled))
	if err != nil {
		return err
	}
	if err := sc.kube.plane.StopAPIServer(); err != nil {
		return err
	}
	err = errors.Join(p.Resume(ctx, pointSpooled), p.Until(ctx, notStored, 1), pause(ctx, sc.away))
	// The other cases need it, whatever happened.
	if err := errors.Join(err, sc.kube.plane.StartAPIServer(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	sc.say("away for %s", sc.away)
	return sc.arrived(ctx, p)
}

// ruleTakenAway takes the right to write the keys away, and gives it back.
func ruleTakenAway(ctx context.Context, sc *scene) error {
	p, err := sc.startStopped(ctx, sc.stopping(pointSpooled))
	if err != nil {
		return err
	}
	namespace := fmt.Sprintf("case-%d", sc.number)
	if err := sc.kube.forbid(ctx, namespace); err != nil {
		return err
	}
	if err := errors.Join(p.Resume(ctx, pointSpooled), p.Until(ctx, notStored, 1), sc.kube.allow(ctx, namespace)); err != nil {
		return err
	}
	return sc.arrived(ctx, p)
}

// storeTroubles are answers of the API server that may be better next time.
var storeTroubles = map[int]string{
	http.StatusInternalServerError: "InternalError",
	http.StatusServiceUnavailable:  "ServiceUnavailable",
	http.StatusTooManyRequests:     "TooManyRequests",
	http.StatusConflict:            "Conflict",
	http.StatusForbidden:           "Forbidden",
}

// storeTrouble returns a fault for requests to the API server.
func (sc *scene) storeTrouble(path string, statuses ...int) testbed.Fault {
	fault := testbed.Fault{Path: path, Times: 1 + sc.rng.IntN(5), After: sc.rng.IntN(2) == 0}
	if sc.rng.IntN(3) == 0 {
		fault.Cut = true
		return fault
	}
	fault.Status = statuses[sc.rng.IntN(len(statuses))]
	fault.Body = fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"injected","reason":%q,"code":%d}`, storeTroubles[fault.Status], fault.Status)
	return fault
}

// storeRefusesKeys spoils the write of the keys.
func storeRefusesKeys(ctx context.Context, sc *scene) error {
	p, err := sc.startStopped(ctx, sc.stopping(pointSpooled))
	if err != nil {
		return err
	}
	fault := sc.storeTrouble(fmt.Sprintf("/api/v1/namespaces/case-%d/secrets/vault-bootstrap-keys", sc.number), 500, 503, 429, 409, 403)
	fault.Method = http.MethodPut
	sc.say("%d × %s", fault.Times, describe(fault))
	sc.api.Inject(fault)
	if err := p.Resume(ctx, pointSpooled); err != nil {
		return err
	}
	return sc.arrived(ctx, p)
}

// storeSpoilt spoils any requests about the records.
func storeSpoilt(ctx context.Context, sc *scene) error {
	path := fmt.Sprintf("/api/v1/namespaces/case-%d/secrets/*", sc.number)
	if sc.rng.IntN(3) == 0 {
		path = "/apis/coordination.k8s.io/*"
	}
	fault := sc.storeTrouble(path, 500, 503, 429, 409)
	sc.say("%d × %s of %.12s…", fault.Times, describe(fault), path)
	p, err := sc.atSomeMoment(ctx, func(*driver.Process) error {
		sc.api.Inject(fault)
		return nil
	})
	if err != nil {
		return err
	}
	return sc.ended(ctx, p.Wait())
}
