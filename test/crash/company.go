package main

import (
	"context"
	"syscall"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// What a watch says about the lead.
const (
	leading    = `"msg":"leading"`
	standingBy = "another watch leads, standing by"
)

// together starts the case's verb with the other watch that stands beside it.
func (sc *scene) together(ctx context.Context, o options) (*driver.Process, error) {
	switch sc.verb.company {
	case above, frozen:
		if err := sc.startBeside(ctx, leading); err != nil {
			return nil, err
		}
		if sc.verb.company == frozen {
			if err := sc.beside.Signal(syscall.SIGSTOP); err != nil {
				return nil, err
			}
		}
	case alone, underneath:
	}
	p, err := sc.start(ctx, o)
	if err == nil && sc.verb.company == underneath && o.stopAt == "" {
		err = p.Until(ctx, leading, 1)
		if err == nil {
			err = sc.startBeside(ctx, "")
		}
	}
	return p, err
}

// stopped is the same, when the verb's process has stopped itself at a point.
func (sc *scene) stopped(ctx context.Context, o options) (*driver.Process, error) {
	p, err := sc.together(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := sc.atStop(ctx, p, o.stopAt); err != nil {
		return nil, err
	}
	if sc.verb.company == underneath {
		return p, sc.startBeside(ctx, standingBy)
	}
	return p, nil
}

// startBeside starts another watch, and waits until it has said something.
func (sc *scene) startBeside(ctx context.Context, says string) (err error) {
	if sc.beside, err = sc.start(ctx, options{verb: verbWatch}); err != nil || says == "" {
		return err
	}
	return sc.beside.Until(ctx, says, 1)
}
