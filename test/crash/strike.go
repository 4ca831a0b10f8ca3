package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// strike does violence without warning. Keys may be lost by that only if an answer to
// sys/init was not delivered, which the proxies show: no answer passes them meanwhile.
//
// Between the client's last byte and its spool nothing can be kept, and nothing can be
// seen from outside. So an answer that was delivered just now is let reach the spool
// first; what is lost then is lost outside the request.
func (sc *scene) strike(ctx context.Context, what string, do func() error) error {
	unlock := sc.noDelivery()
	if at := sc.lastDelivery(); time.Since(at) < spoolTime && !sc.safe(ctx) {
		unlock()
		bounded, cancel := context.WithTimeout(ctx, spoolTime)
		_ = testbed.Poll(bounded, time.Millisecond, "the answer to be spooled", func(ctx context.Context) error {
			if !sc.safe(ctx) {
				return errors.New("it is not")
			}
			return nil
		})
		cancel()
		sc.say("let it spool")
		unlock = sc.noDelivery()
	}
	defer unlock()
	if sc.undelivered() {
		sc.excuse = what
	}
	return do()
}

// spoolTime is how long a process may take to spool an answer on a busy machine.
const spoolTime = 10 * time.Second

// noDelivery keeps back every answer to sys/init until the returned function is called.
func (sc *scene) noDelivery() (unlock func()) {
	for _, l := range sc.lines {
		l.tap.passing.Lock()
	}
	return func() {
		for _, l := range sc.lines {
			l.tap.passing.Unlock()
		}
	}
}

// undelivered reports whether a sys/init has reached a server whose answer has not
// reached the client.
func (sc *scene) undelivered() bool {
	for _, init := range sc.inits() {
		if init.delivered.IsZero() {
			return true
		}
	}
	return false
}

func (sc *scene) lastDelivery() (last time.Time) {
	for _, init := range sc.inits() {
		if init.delivered.After(last) {
			last = init.delivered
		}
	}
	return last
}

// safe reports whether an answer is spooled or stored.
func (sc *scene) safe(ctx context.Context) bool {
	spools, _ := filepath.Glob(filepath.Join(sc.spool, "*.spool"))
	keys, err := sc.keys(ctx)
	return len(spools) > 0 || err == nil && keys.Set != nil
}
