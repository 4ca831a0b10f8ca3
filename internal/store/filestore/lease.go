package filestore

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/wire"
)

// lockPoll is the longest wait between two tries for a lock file. A try costs only a system call,
// so a waiter need not be as patient as with an API server.
const lockPoll = 100 * time.Millisecond

// fileLease is a Lease held as a lock on a file. The kernel releases it when the process ends, so
// it needs no renewal; but the file in the directory must still be the one that is locked, which is
// watched.
type fileLease struct {
	file   *Store
	lock   *flock.Flock
	ctx    context.Context
	cancel context.CancelCauseFunc
	stop   context.CancelFunc
	done   chan struct{}
	once   sync.Once
	seen   atomic.Pointer[time.Time] // when the locked file was last seen in the directory
}

// Acquire waits for the lock on NAME.lock, and writes the holder's identity into it, so that
// waiters can name the holder.
func (f *Store) Acquire(ctx context.Context, options store.LeaseOptions) (store.Held, error) {
	if err := options.Check(); err != nil {
		return nil, err
	}
	if err := f.makeDir(); err != nil {
		return nil, err
	}
	waiting := options.Wait()
	for ctx.Err() == nil {
		lock, err := f.tryLock(f.lockPath())
		if err != nil {
			return nil, err
		}
		if lock != nil {
			return f.hold(ctx, lock, options)
		}
		waiting.For(f.holder())
		if store.Pause(ctx, min(options.RetryPeriod, lockPoll)) != nil {
			break
		}
	}
	return nil, waiting.Failed(f.lockPath(), context.Cause(ctx))
}

// holder returns the identity in the lock file, or "" if there is none.
func (f files) holder() string {
	data, err := os.ReadFile(f.lockPath())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func (f *Store) hold(ctx context.Context, lock *flock.Flock, options store.LeaseOptions) (store.Held, error) {
	// Not by rename: the lock is on this very file.
	if err := os.WriteFile(f.lockPath(), []byte(options.Holder+"\n"), 0o600); err != nil {
		return nil, errors.Join(f.explain("writing the holder", err), lock.Unlock())
	}
	held := &fileLease{file: f, lock: lock, done: make(chan struct{})}
	held.ctx, held.cancel = context.WithCancelCause(ctx)
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	held.stop = stop
	go held.watch(watch, options.RetryPeriod)
	return held, nil
}

// watch cancels the lease's context when its file is gone or replaced.
func (l *fileLease) watch(ctx context.Context, period time.Duration) {
	defer close(l.done)
	for store.Pause(ctx, period) == nil {
		if err := l.Alive(); err != nil {
			l.cancel(err)
			return
		}
	}
}

// Context is cancelled when the lock is lost.
func (l *fileLease) Context() context.Context { return l.ctx }

// aliveTime is how long a check of the lock file counts: each request to Vault asks, thousands per
// second.
const aliveTime = 5 * time.Millisecond

// Alive fails if the locked file is no longer the one in the directory.
func (l *fileLease) Alive() error {
	now := time.Now()
	if seen := l.seen.Load(); seen != nil && now.Sub(*seen) < aliveTime && l.ctx.Err() == nil && l.lock.Locked() {
		return nil
	}
	if sameFile(l.lock, l.file.lockPath()) {
		l.seen.Store(&now)
		return nil
	}
	return store.Lost(l.file.lockPath(), "the file was removed or replaced")
}

// Show writes NAME-lease.json.
func (l *fileLease) Show(ctx context.Context, mirror store.Mirror) error {
	if err := l.Alive(); err != nil {
		return err
	}
	data, err := json.Marshal(wireMirror{State: mirror.State, Since: wire.UTC(mirror.Since), SeedDigest: mirror.SeedDigest})
	if err != nil {
		return err
	}
	return l.file.exclusively(ctx, func() error { return l.file.replace(l.file.leasePath(), data) })
}

// Release unlocks the file. The file stays: removing it would race with waiters that have it open.
func (l *fileLease) Release(context.Context) error {
	var err error
	l.once.Do(func() {
		l.stop()
		<-l.done
		if sameFile(l.lock, l.file.lockPath()) {
			err = os.Truncate(l.file.lockPath(), 0)
		}
		err = errors.Join(err, l.lock.Unlock())
		l.cancel(nil)
	})
	return err
}

// Lead waits for the lock on a file of its own, NAME-watch.lock.
func (f *Store) Lead(ctx context.Context, options store.LeaseOptions) (store.Held, error) {
	lead := *f
	lead.name += store.LeadSuffix
	return lead.Acquire(ctx, options)
}
