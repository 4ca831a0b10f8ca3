package main

import (
	"context"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// putBack replaces a record's content.
func (f fileRecords) putBack(_ context.Context, record string, content []byte) error {
	path := filepath.Join(string(f), "vault-bootstrap-"+record+".json")
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
		if err := p.resume(ctx, point); err != nil {
			return err
		}
		if err := pause(ctx, sc.between(0, sc.clean[verbRun.name+sc.storage])); err != nil {
			return err
		}
		newest, _, err := sc.records.read(ctx, record)
		if err != nil || len(older) == 0 || len(newest) == 0 {
			return err
		}
		if err := sc.records.putBack(ctx, record, older); err != nil {
			return err
		}
		sc.say("from %s", point)
		if err := sc.safeEnd(ctx, p.wait()); err != nil {
			return err
		}
		end, err := sc.finish(ctx, sc.options("--timeout=60s"))
		if err != nil || end.code != exitTerminal {
			return err
		}
		sc.say("stopped: %s, newest copy put back", end.name)
		return sc.records.putBack(ctx, record, newest)
	}
}
