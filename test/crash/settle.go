package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// The exit codes that a rerun may have.
const (
	exitDone      = 0
	exitTransient = 1
	exitUsage     = 64
	exitTerminal  = 70
	exitBusy      = 75
)

// mostReruns bounds the reruns of a case.
const mostReruns = 8

// losses are the terminal errors that may stand for keys that nobody could keep.
var losses = []string{"keys lost", "half-initialized"}

// settle mends what was spoilt and has a successor run until Vault is hardened. A loss that
// is allowed is answered with its remedy.
func (sc *scene) settle(ctx context.Context) error {
	if err := errors.Join(sc.mend(ctx), sc.startedAgain(ctx)); err != nil {
		return err
	}
	var last driver.Result
	for range mostReruns {
		if err := sc.mend(ctx); err != nil {
			return err
		}
		end, err := sc.next(ctx)
		if err != nil {
			return err
		}
		last = end
		if err := sc.freeAudit(ctx, end.Stderr); err != nil {
			return err
		}
		switch end.Code {
		case exitDone:
			if sc.beside == nil {
				return sc.settled(ctx)
			}
		case exitTransient, exitBusy:
		case exitTerminal:
			if err := sc.lose(ctx, end); err != nil {
				return err
			}
		default:
			return fmt.Errorf("a rerun exited with %d\n%s", end.Code, end.Stderr)
		}
	}
	return fmt.Errorf("%d reruns did not come to an end, the last one exited with %d\n%s", mostReruns, last.Code, last.Stderr)
}

// auditHalfway is what Vault answers when a request to enable an audit device was cut off
// before. The program's remedy is to restart the active node.
const auditHalfway = "backend already registered"

// freeAudit restarts Vault, once, where the program has said that this is what helps.
func (sc *scene) freeAudit(ctx context.Context, stderr string) error {
	if sc.restarted || !strings.Contains(stderr, auditHalfway) {
		return nil
	}
	if !strings.Contains(stderr, "Restart Vault's active node") {
		return fmt.Errorf("the remedy does not help with %q\n%s", auditHalfway, stderr)
	}
	sc.restarted = true
	sc.say("restarted Vault, whose audit device was half enabled")
	for _, node := range sc.vault.Nodes {
		if err := node.Restart(ctx); err != nil {
			return err
		}
	}
	return nil
}

// startedAgain has a user start the verb again where nothing else can go on.
func (sc *scene) startedAgain(ctx context.Context) error {
	if sc.verb.unfinished == nil || len(sc.lost) > 0 || sc.seenTo {
		return nil
	}
	sc.seenTo = true // what is stored from now on is not what the verb has left
	keys, err := sc.keys(ctx)
	if err != nil || !sc.verb.unfinished(keys) {
		return err
	}
	sc.say("then %s again", sc.verb)
	return sc.again(ctx)
}

// mend takes all violence away.
func (sc *scene) mend(ctx context.Context) error {
	for _, l := range sc.lines {
		l.mend()
	}
	if sc.api != nil {
		sc.api.Clear()
	}
	if sc.front != nil {
		if err := sc.front.Back(); err != nil {
			return err
		}
	}
	for len(sc.repairs) > 0 {
		repair := sc.repairs[0]
		sc.repairs = sc.repairs[1:]
		if err := repair(ctx); err != nil {
			return err
		}
	}
	for _, node := range sc.vault.Nodes {
		if !node.Alive() {
			if err := node.Start(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// lose judges a terminal error: it is a violation unless something died before the answer
// to sys/init was delivered.
func (sc *scene) lose(ctx context.Context, end driver.Result) error {
	switch {
	case !slices.Contains(losses, end.Failure):
		return fmt.Errorf("a rerun ended with %q\n%s", end.Failure, end.Stderr)
	case sc.excuse == "":
		return &lossError{end, sc.inits()}
	case len(sc.lost) > 0:
		return fmt.Errorf("%q again, after its remedy\n%s", end.Failure, end.Stderr)
	}
	sc.lost = append(sc.lost, end.Failure)
	return sc.startOver(ctx)
}

// lossError is a loss that is none of those that cannot be helped.
type lossError struct {
	end   driver.Result
	inits []request
}

func (e *lossError) Error() string {
	text := fmt.Sprintf("%q, though nothing died before the answer to sys/init was delivered\n", e.end.Failure)
	for _, init := range e.inits {
		text += fmt.Sprintf("sys/init at %s, answered %d at %s\n", init.began.Format(clock), init.status, init.ended.Format(clock))
	}
	return text + e.end.Stderr
}

const clock = "15:04:05.000"

// startOver does what docs/runbook.md says under the terminal error: every server is
// stopped, its storage emptied and started again. The records stay.
func (sc *scene) startOver(ctx context.Context) error {
	if err := sc.vault.Stop(); err != nil {
		return err
	}
	for _, node := range sc.vault.Nodes {
		data := filepath.Join(node.Dir, "data")
		if err := os.RemoveAll(data); err != nil {
			return err
		}
		if err := os.Mkdir(data, 0o700); err != nil {
			return err
		}
	}
	for _, node := range sc.vault.Nodes {
		if err := node.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}
