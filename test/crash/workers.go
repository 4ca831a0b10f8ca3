package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// caseLimit ends a case that hangs.
const caseLimit = 8 * time.Minute

// all tries all cases, some at once.
func (s *suite) all(ctx context.Context, trials []trial) {
	queue := make(chan trial)
	var workers sync.WaitGroup
	for range s.workers {
		workers.Go(func() {
			for t := range queue {
				o := s.try(ctx, t)
				if ctx.Err() == nil { // an interrupt of the suite says nothing about the case
					s.board.done(o)
				}
			}
		})
	}
	for _, t := range trials {
		if ctx.Err() != nil {
			break
		}
		queue <- t
	}
	close(queue)
	workers.Wait()
	s.board.close()
}

// outcome is what came of a case.
type outcome struct {
	trial
	took   time.Duration
	runs   int
	excuse string
	lost   []string
	notes  []string
	err    error
}

// try does one case from its beginning to its end.
func (s *suite) try(ctx context.Context, t trial) (o outcome) {
	if t.alone {
		s.kube.inUse.Lock()
		defer s.kube.inUse.Unlock()
	} else if t.inKube {
		s.kube.inUse.RLock()
		defer s.kube.inUse.RUnlock()
	}
	s.board.begin(t)
	began := time.Now()
	o.trial = t
	defer func() { o.took = time.Since(began) }()
	ctx, cancel := context.WithTimeoutCause(ctx, caseLimit+t.lasts(), errors.New("the case hangs"))
	defer cancel()
	sc, err := s.stage(ctx, t)
	if sc == nil {
		o.err = err
		return o
	}
	if err == nil {
		err = t.act(ctx, sc)
	}
	if _, skipped := errors.AsType[*skipError](err); err == nil || skipped {
		err = errors.Join(err, sc.settle(ctx))
		if err == nil || skipped {
			err = errors.Join(err, sc.check(ctx))
		}
	}
	o.err = errors.Join(err, sc.close())
	o.runs, o.excuse, o.lost, o.notes = sc.runs, sc.excuse, sc.lost, sc.notes
	if o.err == nil && os.Getenv(dirVariable) == "" {
		o.err = os.RemoveAll(sc.dir)
	}
	return o
}
