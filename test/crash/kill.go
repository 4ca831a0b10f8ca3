package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// killAt kills a run that has stopped at a point.
func killAt(point string) act {
	return func(ctx context.Context, sc *scene) error {
		p, err := sc.startStopped(ctx, sc.stopping(point))
		if err != nil {
			return err
		}
		if err := p.signal(syscall.SIGKILL); err != nil {
			return err
		}
		p.wait()
		return nil
	}
}

// termAt ends a run at a point in the orderly way.
func termAt(point string) act { return endAt(point, (*scene).terminated) }

// endAt tells a program that it is to end while it is stopped at a point, and has judge
// look at what it made of that.
func endAt(point string, judge func(*scene, context.Context, end) error) act {
	return func(ctx context.Context, sc *scene) error {
		p, err := sc.startStopped(ctx, sc.stopping(point))
		if err != nil {
			return err
		}
		if err := errors.Join(p.signal(syscall.SIGTERM), p.resume(ctx, point)); err != nil {
			return err
		}
		return judge(sc, ctx, p.wait())
	}
}

// terminated checks a run that was told to end: what Vault has answered is stored
// before it does.
func (sc *scene) terminated(ctx context.Context, end end) error {
	if end.code != exitDone && end.code != exitTransient {
		return fmt.Errorf("the terminated run exited with %d\n%s", end.code, end.stderr)
	}
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	for _, init := range sc.inits() {
		if init.status == http.StatusOK && keys.Set == nil {
			return fmt.Errorf("the terminated run ended before the keys were stored\n%s", end.stderr)
		}
	}
	return nil
}

// atSomeMoment starts a run and calls do at a moment of it. The run may be over by
// then.
func (sc *scene) atSomeMoment(ctx context.Context, do func(p *process) error) (*process, error) {
	span := float64(sc.clean[sc.storage])
	if sc.later != "" {
		span = float64(sc.clean[string(sc.later)])
	}
	if sc.inKube {
		span *= 1.5
	}
	timer := time.NewTimer(time.Duration(sc.rng.Float64() * span))
	defer timer.Stop()
	p, err := sc.start(ctx, sc.laterOptions())
	if err != nil {
		return nil, err
	}
	select {
	case <-timer.C:
	case <-p.done:
		sc.say("the run was over before")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return p, do(p)
}

func killAtRandom(ctx context.Context, sc *scene) error {
	var killed time.Time
	p, err := sc.atSomeMoment(ctx, func(p *process) error {
		killed = time.Now()
		return p.signal(syscall.SIGKILL)
	})
	if err != nil {
		return err
	}
	p.wait()
	sc.excuseIfInFlight("our process", killed, time.Now())
	return nil
}

func termAtRandom(ctx context.Context, sc *scene) error {
	p, err := sc.atSomeMoment(ctx, func(p *process) error { return p.signal(syscall.SIGTERM) })
	if err != nil {
		return err
	}
	end := p.wait()
	if end.code == -1 && end.stderr == "" {
		sc.say("it ended before it listened for signals")
		return nil
	}
	return sc.terminated(ctx, end)
}

// waiting starts a run and returns it when it waits for the answer to sys/init,
// which Vault has given and a proxy holds back.
func (sc *scene) waiting(ctx context.Context) (*process, error) {
	l := sc.lines[0]
	l.http.Inject(testbed.Fault{Method: http.MethodPut, Path: initPath, After: true, Delay: 2 * time.Second, Times: 1})
	p, err := sc.start(ctx, sc.options())
	if err != nil {
		return nil, err
	}
	select {
	case <-l.tap.initBegan:
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("the run ended before sys/init\n%s", p.end.stderr)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func termWhileWaiting(ctx context.Context, sc *scene) error {
	p, err := sc.waiting(ctx)
	if err != nil {
		return err
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	end := p.wait()
	if len(sc.inits()) != 1 {
		return errors.New("sys/init was not sent once")
	}
	return sc.terminated(ctx, end)
}

func killWhileWaiting(ctx context.Context, sc *scene) error {
	p, err := sc.waiting(ctx)
	if err != nil {
		return err
	}
	sc.excuse = "our process"
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	p.wait()
	return nil
}
