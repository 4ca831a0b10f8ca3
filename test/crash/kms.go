package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// kms is one server with a transit secrets engine for all cases; each has a key and a way to it of
// its own.
type kms struct {
	dir string

	once   sync.Once
	server *testbed.Transit
	err    error
}

func (k *kms) start(ctx context.Context) error {
	k.once.Do(func() {
		began := time.Now()
		// Its first caller may end before the others do.
		k.server, k.err = testbed.StartTransit(context.WithoutCancel(ctx), k.dir)
		if k.err == nil {
			fmt.Printf("crash: the KMS started in %s\n", time.Since(began).Round(time.Millisecond))
		}
	})
	return k.err
}

func (k *kms) close() error {
	if k.server == nil {
		return nil
	}
	return k.server.Close()
}

// encryptByKMS encrypts the records of a case to a KMS, and to a person whose identity the program
// does not have: the checks open the record while the KMS is away, and nothing else does.
func (sc *scene) encryptByKMS(ctx context.Context) error {
	if err := sc.remote.start(ctx); err != nil {
		return err
	}
	var err error
	if sc.front, err = sc.remote.server.Front(); err != nil {
		return err
	}
	sc.closers = append(sc.closers, sc.front.Close)
	key := fmt.Sprint("case-", sc.number)
	token, err := sc.remote.server.Token(ctx, key, "encrypt", "decrypt")
	if err != nil {
		return err
	}
	sc.note(token)
	file := filepath.Join(sc.dir, "kms-token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		return err
	}
	safe, err := newPerson(sc.dir, "safe")
	if err != nil {
		return err
	}
	inner := sc.records
	if encrypted, is := inner.(*encryptedRecords); is { // by -encrypted
		inner = encrypted.records
	}
	sc.kmsRecipient = sc.front.Recipient(key)
	sc.records = &encryptedRecords{
		records: inner, safe: []person{safe}, raw: map[string][]byte{},
		given: append(sc.front.Flags(sc.remote.server, key, file), "--keys-to="+safe.recipient),
	}
	return nil
}

// outages are the ways in which the KMS is away, the slow one last: it is late and answers.
var outages = []testbed.Outage{testbed.Refused, testbed.Hanging, testbed.Failing, testbed.Slow}

// keysUnreachable is what the program says of a KMS that is away.
const keysUnreachable = "keys unreachable"

// sayTime is how long the program may take to say that the KMS is away.
const sayTime = 10 * time.Second

// kmsScenes have the KMS away, in each way at each moment.
func kmsScenes() []trial {
	var trials []trial
	for i, how := range outages {
		for j, at := range []struct {
			point string
			act   func(testbed.Outage) act
		}{
			{"before sys/init", awayBefore}, {"in sys/init", awayInInit}, {pointStored, awayAfter(pointStored)}, {pointSpooled, awayAfter(pointSpooled)},
		} {
			v := verbRun
			if (i+j)%3 == 2 {
				v = verbWatch
			}
			trials = append(trials, trial{verb: v, kind: "KMS " + string(how), point: at.point, inKube: (i+j)%2 == 0, recipients: byKMS, extra: 30 * time.Second, act: at.act(how)})
		}
	}
	return trials
}

const pointStored = "initialize.stored"

// saysAway waits until a process names the recipient that does not answer.
func (sc *scene) saysAway(ctx context.Context, p *driver.Process, began time.Time) error {
	if err := p.Until(ctx, keysUnreachable, 1); err != nil {
		return err
	}
	took := time.Since(began)
	sc.say("it said so after %s", took.Round(100*time.Millisecond))
	if !strings.Contains(p.Stderr(), strings.TrimPrefix(sc.kmsRecipient, "transit:")) {
		return fmt.Errorf("it does not say which recipient is silent\n%s", p.Stderr())
	}
	limit := sayTime + startTime
	if sc.point == pointSpooled {
		limit += leaseDuration + 2*sayTime // it first waits for the Lease, and stores what is spooled
	}
	if took > limit {
		return fmt.Errorf("it took %s to say that the KMS is away\n%s", took, p.Stderr())
	}
	return nil
}

// startTime is what a process may take until it asks the KMS, on a busy machine.
const startTime = 5 * time.Second

// over waits until the work of the case's verb is done.
func (sc *scene) over(ctx context.Context, p *driver.Process) error {
	end, err := sc.undisturbed(ctx, p)
	if err == nil && end.Code != exitDone {
		err = fmt.Errorf("it exited with %d\n%s", end.Code, end.Stderr)
	}
	return err
}

// awayBefore has the KMS away when the verb starts: nothing is asked of Vault before it is back.
func awayBefore(how testbed.Outage) act {
	return func(ctx context.Context, sc *scene) error {
		if err := sc.front.Away(how); err != nil {
			return err
		}
		began := time.Now()
		p, err := sc.start(ctx, sc.victim())
		if err != nil {
			return err
		}
		if how == testbed.Slow {
			return sc.over(ctx, p)
		}
		if err := sc.saysAway(ctx, p, began); err != nil {
			return err
		}
		if n := len(sc.inits()); n > 0 {
			return &doubleError{fmt.Sprintf("%d requests before the keys could be encrypted", n)}
		}
		if err := sc.front.Back(); err != nil {
			return err
		}
		return sc.over(ctx, p)
	}
}

// awayInInit takes the KMS away while Vault makes the keys: the process stores them, and finishes its
// work without the KMS.
func awayInInit(how testbed.Outage) act {
	return func(ctx context.Context, sc *scene) error {
		p, err := sc.waiting(ctx)
		if err != nil {
			return err
		}
		before := sc.front.Calls("decrypt")
		if err := sc.front.Away(how); err != nil {
			return err
		}
		if err := sc.over(ctx, p); err != nil {
			return err
		}
		if asked := sc.front.Calls("decrypt") - before; asked > 0 {
			return fmt.Errorf("the KMS was asked %d times by a process that knows the data key", asked)
		}
		return nil
	}
}

// awayAfter kills the verb's process when Vault has answered, and has the KMS away when the next one
// starts: that stores what is spooled, says who is silent, and goes on when the KMS is back. What
// needs no key works meanwhile.
func awayAfter(point string) func(testbed.Outage) act {
	return func(how testbed.Outage) act {
		return func(ctx context.Context, sc *scene) error {
			if err := killAt(point)(ctx, sc); err != nil {
				return err
			}
			if err := sc.front.Away(how); err != nil {
				return err
			}
			began := time.Now()
			p, err := sc.start(ctx, sc.victim())
			if err != nil {
				return err
			}
			if how == testbed.Slow {
				return sc.over(ctx, p)
			}
			if err := sc.saysAway(ctx, p, began); err != nil {
				return err
			}
			if err := errors.Join(sc.answerStored(ctx), sc.readable(ctx)); err != nil {
				return err
			}
			if err := sc.front.Back(); err != nil {
				return err
			}
			back := time.Now()
			if err := sc.opensAfter(ctx, back); err != nil {
				return fmt.Errorf("%w\n%s", err, p.Stderr())
			}
			return sc.over(ctx, p)
		}
	}
}

// answerStored waits until Vault's answer is in the record, as ciphertext. Who stores it takes it out of
// the spool; one that was stored before is left there until the record can be opened.
func (sc *scene) answerStored(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, sayTime)
	defer cancel()
	return testbed.Poll(bounded, 100*time.Millisecond, "the init response to be stored without the KMS", func(ctx context.Context) error {
		keys, err := sc.keys(ctx)
		if err != nil {
			return testbed.GiveUp(err)
		}
		left, _ := filepath.Glob(filepath.Join(sc.spool, "*.spool"))
		if !answered(keys) || len(left) > 0 && sc.point == pointSpooled {
			return fmt.Errorf("it is not: spooled are %v", left)
		}
		if n := len(sc.inits()); n != 1 {
			return testbed.GiveUp(&doubleError{fmt.Sprintf("%d requests", n)})
		}
		return nil
	})
}

// Verbs that need no key.
var (
	verbPlainStatus = &verb{name: "status", arguments: words("status -o json")}
	verbList        = &verb{name: "keys list", arguments: words("keys list"), offline: true}
	verbWait        = &verb{name: "wait", arguments: words("wait --for=initialized --timeout=20s")}
)

// readable holds that what shows no secret works while the KMS is away, and asks it nothing.
func (sc *scene) readable(ctx context.Context) error {
	for _, v := range []*verb{verbPlainStatus, verbList, verbWait} {
		if v == verbWait && !sc.inKube {
			continue // it reads the Lease
		}
		end, err := sc.finish(ctx, options{verb: v})
		if err != nil {
			return err
		}
		if end.Code != exitDone {
			return fmt.Errorf("%q exited with %d while the KMS was away\n%s%s", v, end.Code, end.Stdout, end.Stderr)
		}
		if v == verbPlainStatus && strings.Contains(end.Stdout, "no keys are stored") {
			return fmt.Errorf("status says that there are none\n%s", end.Stdout)
		}
		if v == verbList && !strings.Contains(end.Stdout, sc.kmsRecipient) {
			return fmt.Errorf("keys list does not show the recipient\n%s", end.Stdout)
		}
	}
	return nil
}

// opensAfter waits until Vault is unsealed, and measures how long after the KMS is back that is.
func (sc *scene) opensAfter(ctx context.Context, back time.Time) error {
	bounded, cancel := context.WithDeadlineCause(ctx, back.Add(openTime), fmt.Errorf("it is sealed %s after the KMS was back", openTime))
	defer cancel()
	node := sc.vault.Nodes[0]
	err := testbed.Poll(bounded, 50*time.Millisecond, "Vault to be unsealed", func(ctx context.Context) error {
		var status struct{ Sealed bool }
		if err := node.Call(ctx, http.MethodGet, "sys/seal-status", "", nil, &status); err != nil {
			return err
		}
		if status.Sealed {
			return errors.New("it is sealed")
		}
		return nil
	})
	if err == nil {
		sc.say("unsealed %s after the KMS was back", time.Since(back).Round(100*time.Millisecond))
	}
	return err
}

// openTime is how long after the KMS is back Vault may stay sealed.
const openTime = 10*time.Second + startTime

// someKMSScenes puts a case with the KMS away at each moment first, so that a short run has them.
func someKMSScenes(every []trial, pick func(n int) int) []trial {
	first := []trial{}
	for _, point := range []string{"before sys/init", "in sys/init", pointStored} {
		var fit []int
		for i, t := range every {
			if t.recipients == byKMS && t.point == point && !strings.HasSuffix(t.kind, string(testbed.Slow)) {
				fit = append(fit, i)
			}
		}
		at := fit[pick(len(fit))]
		first = append(first, every[at])
		every = slices.Delete(every, at, at+1)
	}
	return append(first, every...)
}
