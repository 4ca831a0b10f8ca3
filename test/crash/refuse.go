package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// refuses has Vault, as far as its clients see, answer 400 to sys/init.
func (sc *scene) refuses() {
	sc.lines[0].http.Inject(testbed.Fault{Method: http.MethodPut, Path: initPath, Status: http.StatusBadRequest, Body: `{"errors":["injected"]}`})
}

// refusedAgain is how often somebody starts a run while Vault refuses.
const refusedAgain = 20

// refusedRuns has somebody start one run after another while Vault refuses.
func refusedRuns(ctx context.Context, sc *scene) error {
	sc.refuses()
	runs := 0
	for began := time.Now(); runs == 0 || time.Since(began) < sc.refuse; runs++ {
		end, err := sc.finish(ctx, sc.options("--timeout=20s"))
		if err != nil {
			return err
		}
		if end.Code == exitDone || end.Code == -1 {
			return fmt.Errorf("a refused run exited with %d\n%s", end.Code, end.Stderr)
		}
		if err := pause(ctx, sc.refuse/refusedAgain); err != nil {
			return err
		}
	}
	sc.lines[0].http.Clear()
	return sc.attemptsWithin(ctx, runs)
}

// refusedWatch has one watch see it through.
func refusedWatch(ctx context.Context, sc *scene) error {
	sc.refuses()
	p, err := sc.start(ctx, sc.victim())
	if err != nil {
		return err
	}
	if err := pause(ctx, sc.refuse); err != nil {
		return err
	}
	if err := sc.attemptsWithin(ctx, 1); err != nil {
		return fmt.Errorf("%w\n%s", err, p.Stderr())
	}
	sc.lines[0].http.Clear()
	sc.beside = p // hardens by itself, now that Vault answers
	return nil
}

// attemptsWithin bounds the attempts on record: each process makes one, and tries it again.
func (sc *scene) attemptsWithin(ctx context.Context, most int) error {
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	attempts := len(keys.Past)
	if keys.Attempt != nil {
		attempts++
	}
	sc.say("%d attempts on record of %d processes", attempts, most)
	if attempts > most {
		return fmt.Errorf("%d attempts are on record, of %d processes", attempts, most)
	}
	return nil
}
