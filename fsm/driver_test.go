package fsm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// world is a Vault reduced to its observation: acts change it, the probe reads it.
type world struct {
	t     *testing.T
	o     Observation
	acted []Event
	fail  map[Event][]error // errors to return, first ones first
	saved []Transition
	saves []error
	seen  []string
	clock time.Time

	remembered State
	unsettled  int // how many things are to be settled
	settled    int // how often that was tried
	settleErr  error
}

func newWorld(t *testing.T) *world {
	return &world{
		t:     t,
		o:     Observation{Replicas: []Replica{{Address: "a", Health: NotInitialized}}},
		fail:  map[Event][]error{},
		clock: time.Unix(1e9, 0),
	}
}

func (w *world) Waiting(err error, _ int) { w.seen = append(w.seen, "waiting: "+err.Error()) }
func (w *world) Located(state State)      { w.seen = append(w.seen, "located "+string(state)) }
func (w *world) Began(event Event, from State) {
	w.seen = append(w.seen, string(from)+" began "+string(event))
}
func (w *world) Failed(event Event, err error) {
	w.seen = append(w.seen, string(event)+" failed: "+err.Error())
}
func (w *world) Entered(transition Transition) {
	w.seen = append(w.seen, "entered "+string(transition.To))
}
func (w *world) all(health Health) { w.set(func(r *Replica) { r.Health = health }) }
func (w *world) set(change func(r *Replica)) {
	replicas := slices.Clone(w.o.Replicas)
	for i := range replicas {
		change(&replicas[i])
	}
	w.o.Replicas = replicas
}

// fakeLook is what the driver has seen of the world.
type fakeLook struct {
	o       Observation
	settled bool
}

func (s *fakeLook) Observed() *Observation { return &s.o }
func (s *fakeLook) Settled() bool          { return s.settled }
func (s *fakeLook) Explain(e Event) Reason { return Reason{Text: "why " + string(e)} }

func (w *world) act(event Event, change func()) Act[*fakeLook] {
	return func(context.Context, *fakeLook) error {
		w.acted = append(w.acted, event)
		if errs := w.fail[event]; len(errs) > 0 {
			w.fail[event] = errs[1:]
			return errs[0]
		}
		change()
		return nil
	}
}

func (w *world) driver() *Driver[*fakeLook] {
	nothing := func() {}
	return &Driver[*fakeLook]{
		Goal: Hardened,
		Look: func(ctx context.Context) (*fakeLook, error) {
			w.clock = w.clock.Add(time.Second)
			o := w.o
			o.Remembered = w.remembered
			return &fakeLook{o, w.unsettled == 0}, nil
		},
		Settle: func(context.Context, *fakeLook) (bool, error) {
			w.settled++
			if w.settleErr != nil {
				return false, w.settleErr
			}
			w.unsettled--
			return true, nil
		},
		Acts: map[Event]Act[*fakeLook]{
			Initialize: w.act(Initialize, func() { w.all(Sealed); w.o.Keys, w.o.Root = StoredKeys, LiveRoot }),
			Unseal:     w.act(Unseal, func() { w.all(Active) }),
			Seed:       w.act(Seed, func() { w.o.Plan = PlanEmpty }),
			Harden:     w.act(Harden, func() { w.o.Root, w.o.Login, w.o.Controls = NoRoot, LoginWorks, ControlsHold }),
			Seal:       w.act(Seal, nothing), Drift: w.act(Drift, nothing), Weaken: w.act(Weaken, nothing),
		},
		Tend: w.act("tend", func() { w.all(Active) }),
		Enter: func(_ context.Context, _ *fakeLook, transition Transition) error {
			if len(w.saves) > 0 {
				err := w.saves[0]
				w.saves = w.saves[1:]
				if err != nil {
					return err
				}
			}
			w.saved = append(w.saved, transition)
			w.remembered = transition.To
			return nil
		},
		Reporter: w,
		Backoff:  func() retry.Backoff { return retry.NewConstant(time.Microsecond) },
		Patience: 5 * time.Second,
		Now:      func() time.Time { return w.clock },
	}
}

func (w *world) wantActs(want ...Event) {
	w.t.Helper()
	if !slices.Equal(w.acted, want) {
		w.t.Errorf("acts were %v, want %v", w.acted, want)
	}
}

func TestFromNothingToHardened(t *testing.T) {
	w := newWorld(t)
	outcome, err := w.driver().Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.wantActs(Initialize, Unseal, Seed, Harden)
	if outcome.State != Hardened {
		t.Errorf("ended at %q", outcome.State)
	}
	var entered []State
	for _, transition := range w.saved {
		entered = append(entered, transition.To)
	}
	if want := States(); !slices.Equal(entered, want) {
		t.Errorf("recorded %v, want %v", entered, want)
	}
}

func TestRerunDoesNothing(t *testing.T) {
	w := newWorld(t)
	if _, err := w.driver().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.acted, w.saved = nil, nil
	again := w.driver()
	w.remembered = Hardened
	if _, err := again.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantActs()
	if len(w.saved) != 0 {
		t.Errorf("the rerun recorded %v", w.saved)
	}
}

func TestGoalStopsEarly(t *testing.T) {
	w := newWorld(t)
	d := w.driver()
	d.Goal = Unsealed
	outcome, err := d.Run(t.Context())
	if err != nil || outcome.State != Unsealed {
		t.Fatalf("ended at %q, %v", outcome.State, err)
	}
	w.wantActs(Initialize, Unseal)
}

func TestResumesAfterEveryState(t *testing.T) {
	all := []Event{Initialize, Unseal, Seed, Harden}
	for done := range all {
		w := newWorld(t)
		first := w.driver()
		first.Goal = States()[done]
		if _, err := first.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.acted = nil
		second := w.driver()
		if _, err := second.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantActs(all[done:]...)
	}
}

func TestFallsBackAlongTheTable(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(w *world)
		want   []Event
	}{
		{"seal", func(w *world) { w.all(Sealed) }, []Event{Seal, Unseal}},
		{"drift", func(w *world) { w.o.Plan = PlanChanges }, []Event{Drift, Seed}},
		{"weaken", func(w *world) { w.o.Controls = ControlsFail }, []Event{Weaken, Harden}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			if _, err := w.driver().Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.acted = nil
			test.change(w)
			d := w.driver()
			w.remembered = Hardened
			if _, err := d.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.wantActs(test.want...)
		})
	}
}

func TestWorldAheadOfCheckpoint(t *testing.T) {
	w := newWorld(t)
	w.all(Active)
	w.o.Keys, w.o.Root = StoredKeys, LiveRoot
	d := w.driver()
	w.remembered = Initialized
	if _, err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantActs(Seed, Harden)
	if first := w.saved[0]; first.From != Initialized || first.Event != "" || first.To != Unsealed {
		t.Errorf("first record is %+v", first)
	}
}

func TestTransientActIsRetriedFromTheProbe(t *testing.T) {
	w := newWorld(t)
	// The act fails, but its work was done: a timed-out request that succeeded.
	d := w.driver()
	unseal := d.Acts[Unseal]
	d.Acts[Unseal] = func(ctx context.Context, look *fakeLook) error {
		if err := unseal(ctx, look); err != nil {
			return err
		}
		return errors.New("timed out")
	}
	if _, err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantActs(Initialize, Unseal, Seed, Harden)
}

func TestTerminalActEndsTheRun(t *testing.T) {
	w := newWorld(t)
	w.fail[Seed] = []error{fault.Stop("x", errors.New("broken"), "mend it")}
	outcome, err := w.driver().Run(t.Context())
	if fault.KindOf(err) != fault.Terminal || outcome.State != Unsealed {
		t.Errorf("ended at %q with %v", outcome.State, err)
	}
	w.wantActs(Initialize, Unseal, Seed)
	if !strings.Contains(err.Error(), "seed: x: broken") {
		t.Errorf("error is %q", err)
	}
}

func TestSymptomIsJudgedByTheNextCycle(t *testing.T) {
	w := newWorld(t)
	w.fail[Initialize] = []error{&Symptom{Kind: StorageHasState, Replica: "a", Err: errors.New("cluster already has state")}}
	_, err := w.driver().Run(t.Context())
	if fault.NameOf(err) != NameHalfInitialized {
		t.Errorf("ended with %v", err)
	}
	w.wantActs(Initialize)
}

func TestRecordThatFailsIsRepeated(t *testing.T) {
	w := newWorld(t)
	w.saves = []error{nil, errors.New("conflict")} // 'initialized' cannot be saved at first
	if _, err := w.driver().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantActs(Initialize, Unseal, Seed, Harden)
	var entered []State
	for _, transition := range w.saved {
		entered = append(entered, transition.To)
	}
	if !slices.Equal(entered, States()) {
		t.Errorf("recorded %v", entered)
	}
}

func TestEventWithoutAct(t *testing.T) {
	w := newWorld(t)
	d := w.driver()
	delete(d.Acts, Seed)
	if _, err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), `"seed" has no act`) {
		t.Errorf("got %v", err)
	}
}

func TestTimeUpKeepsTheLastError(t *testing.T) {
	w := newWorld(t)
	w.all(NoAnswer)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := w.driver().Run(ctx)
	if err == nil || !strings.Contains(err.Error(), "waiting for an answer from 1 of 1 replicas") {
		t.Errorf("got %v", err)
	}
	if fault.KindOf(err) != fault.Transient || fault.RemedyOf(err) == "" {
		t.Errorf("kind %v, remedy %q", fault.KindOf(err), fault.RemedyOf(err))
	}
}

func TestLostLeaseIsTheCause(t *testing.T) {
	w := newWorld(t)
	// The last try to renew it ran into a deadline of its own, which is not the run's.
	lost := fault.Held(fmt.Errorf("the lease was lost: %w", context.DeadlineExceeded), "")
	ctx, cancel := context.WithCancelCause(t.Context())
	d := w.driver()
	unseal := d.Acts[Unseal]
	d.Acts[Unseal] = func(ctx context.Context, look *fakeLook) error {
		_ = unseal(ctx, look)
		cancel(lost)
		return ctx.Err()
	}
	_, err := d.Run(ctx)
	if !errors.Is(err, lost) || fault.KindOf(err) != fault.Busy {
		t.Errorf("got %v", err)
	}
}

func TestStandbysAreTendedBesideTheState(t *testing.T) {
	w := newWorld(t)
	w.o.Replicas = []Replica{{Address: "a", Health: NotInitialized}, {Address: "b", Health: NotInitialized}}
	if _, err := w.driver().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.acted, w.saved = nil, nil
	w.o.Replicas = []Replica{{Address: "a", Health: Active}, {Address: "b", Health: Sealed}}
	d := w.driver()
	w.remembered = Hardened
	outcome, err := d.Run(t.Context())
	if err != nil || outcome.State != Hardened {
		t.Fatalf("ended at %q, %v", outcome.State, err)
	}
	w.wantActs("tend")
	if len(w.saved) != 0 {
		t.Errorf("tending a standby recorded %v", w.saved)
	}
}

func TestPatienceWithSilentReplicas(t *testing.T) {
	w := newWorld(t)
	if _, err := w.driver().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.o.Replicas = []Replica{{Address: "a", Health: Active}, {Address: "b", Health: NoAnswer}}
	d := w.driver()
	w.remembered = Hardened
	outcome, err := d.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(outcome.Pending) != 1 || outcome.Pending[0].Address != "b" {
		t.Errorf("pending: %v", outcome.Pending)
	}
	if !slices.ContainsFunc(w.seen, func(s string) bool { return strings.Contains(s, "waiting for the rest") }) {
		t.Errorf("did not wait: %v", w.seen)
	}
}

// TestTroubleInsideKeepsNoReplicaSealed gives a seed that cannot be applied to a
// cluster with a sealed standby.
func TestTroubleInsideKeepsNoReplicaSealed(t *testing.T) {
	trouble := fault.Stop("x", errors.New("the seed cannot be applied"), "mend it")
	for _, goal := range []State{Hardened, Unsealed} {
		w := newWorld(t)
		if _, err := w.driver().Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.acted, w.saved = nil, nil
		w.o.Replicas = []Replica{{Address: "a", Health: Active}, {Address: "b", Health: Sealed}}
		w.o.Trouble = trouble
		d := w.driver()
		d.Goal, w.remembered = goal, Hardened
		_, err := d.Run(t.Context())
		w.wantActs("tend")
		if goal == Hardened && !errors.Is(err, trouble) || goal == Unsealed && err != nil {
			t.Errorf("goal %q: %v", goal, err)
		}
		if len(w.saved) != 0 {
			t.Errorf("goal %q: recorded %v", goal, w.saved)
		}
	}
}

// TestSealedStandbyDoesNotHoldUpTheCluster has a standby that cannot be opened.
func TestSealedStandbyDoesNotHoldUpTheCluster(t *testing.T) {
	w := newWorld(t)
	if _, err := w.driver().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.o.Replicas = []Replica{{Address: "a", Health: Active}, {Address: "b", Health: Sealed}}
	d := w.driver()
	w.remembered = Hardened
	d.Tend = func(context.Context, *fakeLook) error { return errors.New("its KMS is out of reach") }
	outcome, err := d.Run(t.Context())
	if err != nil || len(outcome.Pending) != 1 {
		t.Errorf("ended with %v, pending %v", err, outcome.Pending)
	}
	if !slices.ContainsFunc(w.seen, func(s string) bool { return strings.Contains(s, "KMS") }) {
		t.Errorf("the reason was not reported: %v", w.seen)
	}
}

// TestReplicasThatComeUpOneByOneAreNotASeal has a cluster restart whose last
// replica shows up during the election.
func TestReplicasThatComeUpOneByOneAreNotASeal(t *testing.T) {
	w := newWorld(t)
	if _, err := w.driver().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.acted, w.saved = nil, nil
	w.o.Replicas = []Replica{{Address: "a", Health: Standby}, {Address: "b", Health: Sealed}}
	d := w.driver()
	w.remembered = Hardened
	if _, err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantActs("tend")
	if len(w.saved) != 0 {
		t.Errorf("recorded %v", w.saved)
	}
}

// TestSettlesBeforeItActs has the look find something that only the holder of the Lease may end: it
// is ended before anything else is done, and the world is read again.
func TestSettlesBeforeItActs(t *testing.T) {
	w := newWorld(t)
	w.unsettled = 2
	if _, err := w.driver().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.settled != 2 || w.unsettled != 0 {
		t.Errorf("settled %d times, %d left", w.settled, w.unsettled)
	}
	w.wantActs(Initialize, Unseal, Seed, Harden)
}

// TestWhatCannotBeSettledKeepsNoReplicaSealed has a settling fail: that is trouble in the
// cluster, and its replicas are unsealed all the same.
func TestWhatCannotBeSettledKeepsNoReplicaSealed(t *testing.T) {
	w := newWorld(t)
	if _, err := w.driver().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.acted = nil
	w.o.Replicas = []Replica{{Address: "a", Health: Active}, {Address: "b", Health: Sealed}}
	w.unsettled, w.settleErr = 1, fault.Stop("x", errors.New("cannot be ended"), "mend it")
	d := w.driver()
	w.remembered = Hardened
	if _, err := d.Run(t.Context()); !errors.Is(err, w.settleErr) {
		t.Errorf("ended with %v", err)
	}
	w.wantActs("tend")
}

// TestRefusedInitializationIsJudgedByTheNextLook holds that a refusal of sys/init counts only if
// Vault is still empty.
func TestRefusedInitializationIsJudgedByTheNextLook(t *testing.T) {
	refusal := &Symptom{Kind: InitRefused, Replica: "a", Err: errors.New("no")}
	for _, empty := range []bool{true, false} {
		w := newWorld(t)
		d := w.driver()
		d.Acts[Initialize] = func(context.Context, *fakeLook) error {
			w.o.Keys = OpenIntent
			if !empty {
				w.all(Sealed)
			}
			return refusal
		}
		_, err := d.Run(t.Context())
		if empty && fault.KindOf(err) != fault.Usage || !empty && fault.NameOf(err) != NameKeysLost {
			t.Errorf("still empty: %v, ended with %v", empty, err)
		}
	}
}
