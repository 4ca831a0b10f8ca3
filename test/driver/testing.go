package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// Driven is a process that a test drives: what it must do and does not is the test's failure.
// It ends with the test at the latest. What it has printed is noted for the last step of the
// suites, which looks for secrets in it.
type Driven struct {
	*Process
	// Keys returns the raw keys record once Wait has seen the end: the secrets in it are noted,
	// too. It may be nil.
	Keys func() []byte
	// Patience is how long the process may take to print or do something.
	Patience time.Duration

	t     testbed.TB
	noted sync.Once
}

// StartFor starts a process for a test.
func StartFor(t testbed.TB, c Command) *Driven {
	t.Helper()
	if c.Home == "" {
		c.Home = t.TempDir()
	}
	process, err := c.Start(t.Context())
	if err != nil {
		t.Fatalf("%v", err)
	}
	d := &Driven{Process: process, Patience: 2 * time.Minute, t: t}
	t.Cleanup(func() {
		result, err := d.Process.Kill()
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		d.note(result)
	})
	return d
}

// Says waits until the process has printed so many lines with a text since its start.
func (d *Driven) Says(text string, times int) {
	d.t.Helper()
	d.within(func(ctx context.Context) error { return d.Until(ctx, text, times) })
}

// StopsAt waits until it has stopped itself at a point so many times.
func (d *Driven) StopsAt(point string, times int) {
	d.t.Helper()
	d.within(func(ctx context.Context) error { return d.StoppedAt(ctx, point, times) })
}

// URL waits until it listens, and returns where.
func (d *Driven) URL() string {
	d.t.Helper()
	var address string
	d.within(func(ctx context.Context) (err error) {
		address, err = d.Address(ctx)
		return err
	})
	return "http://" + address
}

func (d *Driven) within(wait func(context.Context) error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), d.Patience)
	defer cancel()
	err := wait(ctx)
	if _, shown := errors.AsType[*NeverError](err); err != nil && !shown {
		err = fmt.Errorf("%w\n%s", err, d.Shown())
	}
	if err != nil {
		d.t.Fatalf("%v: %v", d.cmd.Args[1:], err)
	}
}

// Send sends a signal.
func (d *Driven) Send(signal syscall.Signal) {
	d.t.Helper()
	if err := d.Signal(signal); err != nil {
		d.t.Fatalf("%v", err)
	}
}

// Kill ends it without warning.
func (d *Driven) Kill() Result {
	d.t.Helper()
	d.Send(syscall.SIGKILL)
	return d.Wait()
}

// Wait waits for its end.
func (d *Driven) Wait() Result {
	d.t.Helper()
	d.within(func(ctx context.Context) error {
		select {
		case <-d.Ended():
			return nil
		case <-ctx.Done():
			return fmt.Errorf("it does not end: %w", context.Cause(ctx))
		}
	})
	result := d.Process.Wait()
	d.note(result)
	if d.Keys != nil {
		testbed.NoteSecrets(d.t, testbed.SecretsIn(d.Keys())...)
	}
	return result
}

// Exits waits for its end and wants an exit code.
func (d *Driven) Exits(code int) Result {
	d.t.Helper()
	result := d.Wait()
	if result.Code != code {
		d.t.Fatalf("%v exited with %d, want %d\n%s", result.Args, result.Code, code, result)
	}
	return result
}

// Terminates ends it in the orderly way, and wants that to be a success.
func (d *Driven) Terminates() Result {
	d.t.Helper()
	d.Send(syscall.SIGTERM)
	result := d.Wait()
	if result.Code != 0 {
		d.t.Errorf("%v: SIGTERM ends it with %d\n%s", result.Args, result.Code, result)
	}
	return result
}

func (d *Driven) note(r Result) {
	d.t.Helper()
	d.noted.Do(func() {
		testbed.NoteOutput(d.t, strings.Join(r.Args, " ")+"\n"+r.Stdout+r.Stderr)
	})
}

// AuditFor returns the requests in Vault's audit log from a line on, and the number of its
// lines. Every token in it is noted: a raw log is the one place where secrets are expected.
func AuditFor(t testbed.TB, log string, from int) (Audit, int) {
	t.Helper()
	found, lines, err := ReadAudit(log, from)
	if err != nil {
		t.Fatalf("%v", err)
	}
	NoteTokens(t, log)
	return found.Requests(), lines
}

// NoteTokens notes every token in a raw audit log. A log that does not exist holds none.
func NoteTokens(t testbed.TB, log string) {
	t.Helper()
	content, err := os.ReadFile(log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatalf("%v", err)
	}
	testbed.NoteSecrets(t, Tokens(string(content))...)
}

// KeysFor parses a keys record for a test.
func KeysFor(t testbed.TB, content []byte) KeysRecord {
	t.Helper()
	keys, err := ParseKeys(content)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return keys
}
