package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// island is one process's own way to Vault and to the API server.
type island struct {
	line *line
	api  *testbed.Proxy
	options
}

// island makes one for a run.
func (sc *scene) island(o options) (*island, error) {
	l, err := newLine(sc.vault.Nodes[0])
	if err != nil {
		return nil, err
	}
	sc.lines = append(sc.lines, l)
	api, err := testbed.StartProxy(strings.TrimPrefix(sc.api.URL, "https://"))
	if err != nil {
		return nil, err
	}
	sc.closers = append(sc.closers, api.Close)
	records, _ := sc.records.(kubeRecords)
	content, err := os.ReadFile(records.kubeconfig)
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(sc.dir, "island.kubeconfig")
	o.addresses = []string{l.url()}
	o.flags = append(o.flags, "--kubeconfig="+kubeconfig)
	return &island{l, api, o}, os.WriteFile(kubeconfig, []byte(strings.ReplaceAll(string(content), sc.api.URL, "https://"+api.Addr)), 0o600)
}

// cutOff lets nothing pass in either direction until it is restored.
func (i *island) cutOff() {
	i.line.tcp.Hold()
	i.api.Hold()
}

func (i *island) restore() {
	i.line.tcp.Restore()
	i.api.Restore()
}

// lateHolder starts a run that is cut off when it is about to send sys/init: the request
// reaches Vault when the island is restored.
func (sc *scene) lateHolder(ctx context.Context) (*island, *driver.Process, error) {
	i, err := sc.island(sc.stopping(pointIntended))
	if err != nil {
		return nil, nil, err
	}
	holder, err := sc.startStopped(ctx, i.options)
	if err != nil {
		return nil, nil, err
	}
	sc.lateInit = true
	i.cutOff()
	return i, holder, holder.Resume(ctx, pointIntended)
}

// partitionedBefore cuts the holder off before its sys/init has reached Vault. Its Lease runs
// out and a successor makes an attempt of its own; then the late request arrives.
func partitionedBefore(ctx context.Context, sc *scene) error {
	i, holder, err := sc.lateHolder(ctx)
	if err != nil {
		return err
	}
	defer i.restore()
	successor, err := sc.finish(ctx, sc.options())
	if err != nil {
		return err
	}
	if successor.Code != exitDone {
		return fmt.Errorf("the successor exited with %d\n%s", successor.Code, successor.Stderr)
	}
	before, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	i.restore()
	end := holder.Wait()
	sc.say("the holder came back: exit %d %s", end.Code, end.Failure)
	after, err := sc.keys(ctx)
	if err != nil {
		return err
	}
	if before.Set == nil || after.Set == nil || after.Set.Shares[0] != before.Set.Shares[0] {
		return errors.New("the set in force is another one since the holder came back")
	}
	return nil
}

// partitionedBeforeSuccessor cuts it off in the same way, and lets its request arrive when
// the successor has its own attempt on record and has not asked Vault yet: the answer
// belongs to an attempt that is no longer the current one.
func partitionedBeforeSuccessor(ctx context.Context, sc *scene) error {
	i, holder, err := sc.lateHolder(ctx)
	if err != nil {
		return err
	}
	defer i.restore()
	successor, err := sc.startStopped(ctx, options{verb: verbRun, stopAt: pointIntended})
	if err != nil {
		return err
	}
	i.restore()
	err = testbed.Poll(ctx, 50*time.Millisecond, "the holder's keys to be on record", func(ctx context.Context) error {
		keys, err := sc.keys(ctx)
		if err == nil && !answered(keys) {
			err = errors.New("no attempt has an answer, and no set is stored")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, holder.Stderr())
	}
	if err := successor.Resume(ctx, pointIntended); err != nil {
		return err
	}
	if end := holder.Wait(); end.Code != exitDone && end.Code != exitBusy {
		return fmt.Errorf("the holder that came back exited with %d\n%s", end.Code, end.Stderr)
	}
	if end := successor.Wait(); end.Code != exitDone {
		return fmt.Errorf("the successor exited with %d\n%s", end.Code, end.Stderr)
	}
	return nil
}

// partitionedInInit cuts it off when Vault has the request and its answer is on the way.
// The successor waits for it.
func partitionedInInit(ctx context.Context, sc *scene) error {
	i, err := sc.island(sc.victim())
	if err != nil {
		return err
	}
	i.line.tap.keepBack(2 * time.Second)
	holder, err := sc.start(ctx, i.options)
	if err != nil {
		return err
	}
	select {
	case <-i.line.tap.initBegan:
	case <-holder.Ended():
		return fmt.Errorf("the run ended before sys/init\n%s", holder.Wait().Stderr)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	i.cutOff()
	defer i.restore()
	return sc.cameBack(ctx, holder, func() error {
		i.restore()
		return nil
	})
}
