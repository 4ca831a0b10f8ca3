package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// later is a verb for a hardened Vault: cases of it begin with an undisturbed run.
type later string

const (
	keysRotate    later = "keys rotate"
	breakGlassRun later = "break-glass run"
)

// laterVerbs are the verbs for a hardened Vault, by what the names of their points
// begin with.
var laterVerbs = map[string]later{"rotate.": keysRotate, "breakglass.": breakGlassRun}

// laterOf returns the verb that comes to a point; none if 'run' or 'adopt' does.
func laterOf(point string) later {
	for prefix, verb := range laterVerbs {
		if strings.HasPrefix(point, prefix) {
			return verb
		}
	}
	return ""
}

// hardened makes the scene one for a verb of later.
func (sc *scene) hardened(ctx context.Context) error {
	end, err := sc.finish(ctx, sc.options())
	if err == nil && end.code != exitDone {
		err = fmt.Errorf("the run before %q exited with %d\n%s", sc.later, end.code, end.stderr)
	}
	return err
}

// arguments are those of the verb itself.
func (l later) arguments() []string {
	if l == breakGlassRun {
		return []string{"break-glass", "run", "--reason=CRASH-1: the suite"}
	}
	return strings.Fields(string(l))
}

// laterAtPoints are the signals at every point of the verbs for a hardened Vault.
func laterAtPoints(points []string) []trial {
	var trials []trial
	for _, point := range points {
		at := trial{point: point, later: laterOf(point), storage: "file"}
		for _, each := range []trial{
			{kind: "SIGKILL", act: killAt(point)},
			{kind: "SIGKILL, Vault restarted", act: thenRestarted(killAt(point))},
			{kind: "SIGTERM", act: thenAgain(laterTermAt(point))},
		} {
			at.kind, at.act = each.kind, each.act
			trials = append(trials, at)
		}
	}
	return trials
}

// laterAtRandom are the same signals at any moment.
func laterAtRandom(verb later) []trial {
	at := trial{point: "in " + string(verb), later: verb, storage: "file"}
	var trials []trial
	for _, each := range []trial{
		{kind: "SIGKILL", act: killAtRandom},
		{kind: "SIGKILL, Vault restarted", act: thenRestarted(killAtRandom)},
		{kind: "SIGTERM", act: thenAgain(laterTermAtRandom)},
	} {
		at.kind, at.act = each.kind, each.act
		trials = append(trials, at)
	}
	return trials
}

// laterTermAt ends a verb at a point in the orderly way.
func laterTermAt(point string) act { return endAt(point, (*scene).laterTerminated) }

func laterTermAtRandom(ctx context.Context, sc *scene) error {
	p, err := sc.atSomeMoment(ctx, func(p *process) error { return p.signal(syscall.SIGTERM) })
	if err != nil {
		return err
	}
	end := p.wait()
	if end.code == -1 && end.stderr == "" {
		sc.say("it ended before it listened for signals")
		return nil
	}
	return sc.laterTerminated(ctx, end)
}

// laterTerminated checks a verb that was told to end: it has cleaned up itself. Only
// what rests on new shares that are stored may be left to the next run.
func (sc *scene) laterTerminated(ctx context.Context, end end) error {
	if end.code != exitDone && end.code != exitTransient {
		return fmt.Errorf("the terminated %q exited with %d\n%s", sc.later, end.code, end.stderr)
	}
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	if keys.Rotation != nil && keys.Rotation.Set != nil {
		sc.say("new shares are stored")
		return nil
	}
	if err := sc.nothingUnderway(ctx); err != nil {
		return fmt.Errorf("after the terminated %q: %w\n%s", sc.later, err, end.stderr)
	}
	return nil
}

// thenAgain has somebody start the same verb again, before any run.
func thenAgain(do act) act {
	return func(ctx context.Context, sc *scene) error {
		if err := do(ctx, sc); err != nil {
			return err
		}
		return sc.again(ctx)
	}
}

// again runs the verb of the case undisturbed.
func (sc *scene) again(ctx context.Context) error {
	end, err := sc.finish(ctx, sc.laterOptions())
	if err == nil && end.code != exitDone {
		err = fmt.Errorf("another %q exited with %d\n%s", sc.later, end.code, end.stderr)
	}
	return err
}

// thenRestarted restarts Vault after the violence, before any run: what is stored then
// has to open it. It leaves Vault sealed, so that the next run has to find out too.
func thenRestarted(do act) act {
	return func(ctx context.Context, sc *scene) error {
		if err := do(ctx, sc); err != nil {
			return err
		}
		keys, err := sc.keys(ctx)
		if err != nil {
			return err
		}
		node := sc.vault.Nodes[0]
		if err := node.Restart(ctx); err != nil {
			return err
		}
		if err := sc.openWith(ctx, node, keys); err != nil {
			return err
		}
		return node.Restart(ctx)
	}
}

// unopenedError says that no stored shares open Vault.
type unopenedError struct{ why error }

func (e *unopenedError) Error() string {
	return "the stored shares do not open Vault: " + e.why.Error()
}

// openWith unseals a server with what is stored: the set in force, or else the one
// that was about to be.
func (sc *scene) openWith(ctx context.Context, node *testbed.VaultNode, keys keysRecord) error {
	sets := []*keySet{keys.Set}
	if keys.Rotation != nil {
		sets = append(sets, keys.Rotation.Set)
	}
	var errs []error
	for i, set := range sets {
		if set == nil {
			continue
		}
		open, err := tryShares(ctx, node, *set)
		if open {
			if i > 0 {
				sc.say("the new shares were in force")
			}
			return nil
		}
		errs = append(errs, err)
	}
	return &unopenedError{errors.Join(errs...)}
}

// tryShares gives shares to a sealed server once. Vault refuses the last one if they
// are not its own, and forgets them.
func tryShares(ctx context.Context, node *testbed.VaultNode, set keySet) (open bool, err error) {
	var said struct{ Sealed bool }
	for _, share := range set.Shares[:set.Threshold] {
		if err := node.Call(ctx, http.MethodPut, "sys/unseal", "", map[string]string{"key": share}, &said); err != nil {
			return false, err
		}
	}
	if said.Sealed {
		err = fmt.Errorf("%d shares were taken and Vault stays sealed", set.Threshold)
	}
	return err == nil, err
}

// underwayError is an exchange of keys or a root token of ours in the making that is left.
type underwayError struct{ what string }

func (e *underwayError) Error() string { return e.what + " of ours is left" }

// nothingUnderway reads, from Vault and from the record, that nothing is half done.
// Nobody else begins anything here, so that what is in progress is ours.
func (sc *scene) nothingUnderway(ctx context.Context) error {
	keys, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	var errs []error
	if keys.Rotation != nil {
		errs = append(errs, &underwayError{"a recorded rotation"})
	}
	if keys.Glass != nil {
		errs = append(errs, &underwayError{"a recorded break-glass"})
	}
	node, err := sc.vault.Active(ctx)
	if err != nil {
		return err
	}
	for path, what := range map[string]string{"sys/rekey/init": "a rekey", "sys/generate-root/attempt": "a generate-root attempt"} {
		var said struct{ Started bool }
		if err := node.Call(ctx, http.MethodGet, path, "", nil, &said); err != nil {
			return err
		}
		if said.Started {
			errs = append(errs, &underwayError{what})
		}
	}
	return errors.Join(errs...)
}

// settled looks at what a rerun of 'run' has left. After an exchange that was cut off
// the next one must work, which Vault lets it only with the shares in force.
func (sc *scene) settled(ctx context.Context) error {
	if err := sc.nothingUnderway(ctx); err != nil || sc.later != keysRotate {
		return err
	}
	before, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	if err := sc.again(ctx); err != nil {
		return err
	}
	after, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	if before.Set == nil || after.Set == nil || before.Set.Shares[0] == after.Set.Shares[0] {
		return errors.New("another exchange has exchanged nothing")
	}
	return sc.nothingUnderway(ctx)
}
