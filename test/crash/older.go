package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
)

// putBack replaces a record's content.
func (f fileRecords) putBack(_ context.Context, record string, content []byte) error {
	path := driver.RecordFile(string(f), record)
	if err := os.WriteFile(path+".old", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".old", path)
}

func (k kubeRecords) putBack(ctx context.Context, record string, content []byte) error {
	secrets := k.kube.plane.Client.CoreV1().Secrets(k.namespace)
	found, err := secrets.Get(ctx, "vault-bootstrap-"+record, metav1.GetOptions{})
	if err != nil {
		return err
	}
	found.ResourceVersion = "" // whatever it is by now
	found.Data[record+".json"] = content
	_, err = secrets.Update(ctx, found, metav1.UpdateOptions{})
	return err
}

// olderPutBack has somebody put an older copy of a record back at a random moment of a run.
// A copy from before the keys were stored takes them away: then whatever runs must stop, and
// must not initialize; with the newest copy in place again it goes on.
func olderPutBack(record string) act {
	return func(ctx context.Context, sc *scene) error {
		points := sc.passed[verbRun]
		first := sc.rng.IntN(len(points) - 1)
		point := points[first]
		p, err := sc.startStopped(ctx, sc.stopping(point))
		if err != nil {
			return err
		}
		older, _, err := sc.records.read(ctx, record)
		if err != nil {
			return err
		}
		if err := p.Resume(ctx, point); err != nil {
			return err
		}
		if err := pause(ctx, sc.between(0, sc.clean[verbRun.name+sc.storage])); err != nil {
			return err
		}
		newest, err := sc.exchanged(ctx, p, record, older)
		if err != nil || newest == nil {
			return err
		}
		sc.say("from %s", point)
		if end := p.Wait(); end.Code == -1 {
			return fmt.Errorf("the run was killed\n%s", end.Stderr)
		}
		end, err := sc.finish(ctx, sc.options("--timeout=60s"))
		if err != nil || end.Code != exitTerminal {
			return err
		}
		// A copy with the keys may be from before the login's credential was made.
		if keys, err := sc.keys(ctx); err != nil || record == "keys" && keys.Set != nil && end.Failure != "locked out" {
			return errors.Join(err, fmt.Errorf("keys are stored, and the run ended with %q\n%s", end.Failure, end.Stderr))
		}
		sc.say("stopped: %s, newest copy put back", end.Failure)
		return sc.records.putBack(ctx, record, newest)
	}
}

// exchanged replaces a record by an older copy while the run that writes it is stopped, so
// that nothing is written in between, and returns the newest copy; nil if there is none.
func (sc *scene) exchanged(ctx context.Context, p *driver.Process, record string, older []byte) (newest []byte, err error) {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Signal(syscall.SIGCONT)) }()
	if err := pause(ctx, onItsWay); err != nil {
		return nil, err
	}
	newest, _, err = sc.records.read(ctx, record)
	if err != nil || len(older) == 0 || len(newest) == 0 {
		return nil, err
	}
	return newest, sc.records.putBack(ctx, record, older)
}

// onItsWay is how long a write may take that was on its way when its process was stopped.
const onItsWay = 100 * time.Millisecond
